/** Whatever a listener throws, the process goes on hearing. */
import { expect, test } from 'vitest';
import { Bus } from '../../../runtime/bus/bus.ts';
import { createLog } from '../../../runtime/log.ts';
import { TestNats } from '../../kit/servers/nats.ts';
import { until } from '../../kit/until.ts';

test('what a listener throws makes nobody deaf, and is said once (I14)', async () => {
  await using nats = await TestNats.start();
  const said: unknown[] = [];
  const log = { ...createLog('test', 'silent'), error: (facts: object) => said.push(facts) };
  const bus = await Bus.connect({ servers: nats.url, name: 'hearer' }, log);
  const heard: unknown[] = [];
  bus.subscribe('a.*', (value) => {
    heard.push(value);
    throw new TypeError(`no text in ${JSON.stringify(value)}`);
  });
  const service = bus.serve({
    name: 'x',
    version: '1.0.0',
    description: '',
    metadata: {},
    endpoints: [{ name: 'x', subject: 'b', handle: () => ({ ok: true }) }],
  });
  await bus.flush();
  for (let n = 0; n < 20; n++) bus.publish('a.b', { n });
  await until('all are heard', () => heard.length === 20);
  expect(await bus.request('b', {})).toEqual({ ok: true });
  expect(said).toEqual([{ subject: 'a.*', reason: expect.stringContaining('no text') as string }]);
  await service.stop();
  await bus.close();
});
