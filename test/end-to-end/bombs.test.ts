/** Small messages that become large ones hold up nobody else; on real processes. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { connect, headers } from 'nats';
import { expect, test } from 'vitest';
import { Stack } from '../kit/processes/stack.ts';

const bombs = 300;

test('64 KiB of gzip that become 64 MiB, hundreds of them: the writes of others go on (I14)', async () => {
  await using stack = await Stack.start();
  const stranger = await connect({ servers: stack.nats.url });
  const body = gzipSync(Buffer.alloc(64 * 1024 * 1024, 'x'));
  const head = headers();
  head.set('Content-Encoding', 'gzip');
  head.set('Content-Type', 'application/json');
  for (let sent = 0; sent < bombs; sent += 1)
    stranger
      .request('tidemark.hub1.manifest.MS_UpsertManifest', body, { timeout: 60_000, headers: head })
      .catch(() => undefined);
  const tookMs: number[] = [];
  for (let write = 0; write < 60; write += 1) {
    const startedMs = performance.now();
    await stack.hub.client.upsertWorkItem({ WorkItemHash: `w${write}`, Status: 'Queued' });
    tookMs.push(performance.now() - startedMs);
  }
  const status = readFileSync(`/proc/${stack.worker.pid}/status`, 'utf8');
  const peakMiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
  await stranger.close();
  // Of a machine that does other things as well: without the thread the first takes ten seconds.
  expect(Math.max(...tookMs)).toBeLessThan(3_000);
  expect(peakMiB).toBeLessThan(512);
}, 120_000);
