/** What a worker answers over HTTP while it waits for its store: probes, to those who may view. */
import { expect, test } from 'vitest';
import { listenProbes } from '../../../worker/http/waiting-room.ts';
import { ask } from '../../kit/processes/worker-kit.ts';

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

test('a worker that waits for its store tells nobody but those who may view, beyond loopback', async () => {
  const settings = {
    allowedHosts: [],
    tokens: [{ name: 'vic', role: 'view', token: 'vic-secret' }],
  } as const;
  const server = await listenProbes({ host: '0.0.0.0', port: 0 }, settings, {
    unready: () => 'frozen',
    health: () => ({ Ready: false }),
  });
  const port = Number(new URL(server.url).port);
  const status = async (path: string, headers = {}) => (await ask(port, { path, headers })).status;
  try {
    expect([
      await status('/healthz'),
      await status('/healthz', bearer('vic-secret')),
      await status('/readyz', bearer('vic-secret')),
      await status('/healthz', { ...bearer('vic-secret'), Host: 'evil.example' }),
    ]).toEqual([401, 200, 503, 403]);
  } finally {
    await server.close();
  }
});
