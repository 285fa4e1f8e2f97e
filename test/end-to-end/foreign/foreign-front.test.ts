/**
 * A retold-databeacon known only by its HTTP server, in front of a worker: killed and started again
 * under traffic, as are the others.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { compareWithFold } from '../../kit/rows/compare.ts';
import { foldCalls } from '../../kit/rows/fold.ts';
import { connectHub, publish } from '../../kit/processes/hub.ts';
import { orderComplaints } from '../../kit/rows/order.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { QuirkyBeacon } from '../../kit/quirky/quirky-beacon.ts';
import { quirkyRows } from '../../kit/quirky/quirky-beacon-rows.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { tempDir, type TempDir } from '../../kit/temp-dir.ts';
import { sampleWrites } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

const calls = sampleWrites(400);

describe('a retold-databeacon behind --front', () => {
  let dir: TempDir;
  let server: TidemarkProcess;
  let stack: Stack;
  let path = '';
  beforeAll(async () => {
    dir = tempDir('front');
    path = dir.at('theirs.sqlite');
    // Its HTTP makes no tables; somebody did.
    const beacon = new QuirkyBeacon(path);
    beacon.ensureSchema({ IDBeaconConnection: 1, SchemaJSON: persistenceSchema });
    beacon.close();
    const port = await freePort();
    server = new TidemarkProcess(
      ['http', String(port), path],
      {},
      [],
      'test/kit/quirky/quirky-beacon-process.ts',
    );
    stack = await Stack.start({ frontUrl: `http://127.0.0.1:${port}` });
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await server?.kill();
    dir?.[Symbol.dispose]();
  });

  test('the server is killed: the worker waits for it, and what came meanwhile is there when it is back', async () => {
    await stack.hub.client.upsertWorkItem(
      { WorkItemHash: 'before', Status: 'Pending' },
      { Wait: 'applied', WaitMs: 20_000 },
    );
    await server.kill();
    await stack.hub.client.updateWorkItem('before', { Status: 'Complete' });
    await until(
      'the worker waits',
      async () => (await stack.status()).Queue.State === 'waiting-for-beacon',
      { deadlineMs: 20_000 },
    );
    server.restart();
    const status = await stack.drained();
    expect(status.Queue).toMatchObject({ Carrier: 'meadow-proxy', DeadLetters: 0 });
    expect(
      (quirkyRows(path) as ReadonlyMap<string, object[]>).get('UVQueueWorkItem'),
    ).toMatchObject([{ WorkItemHash: 'before', Status: 'Complete' }]);
  }, 120_000);

  test('recorded traffic while server, front and worker are killed in turn equals the fold (I1, I5, I7)', async () => {
    await using hub = await connectHub(stack.nats.url, {
      hub: stack.hubId,
      timeoutMs: 1_000,
      retry: { giveUpMs: 120_000, longestMs: 500 },
    });
    const victims = [
      server,
      stack.beacon,
      stack.worker,
      server,
      stack.beacon,
      server,
      stack.worker,
      server,
    ];
    const step = Math.floor(calls.length / (victims.length + 1));
    let killing = Promise.resolve();
    const published = await publish(hub.client, calls, 16, (answered) => {
      if (answered % step !== 0) return null;
      const victim = victims.shift();
      if (!victim) return null;
      killing = killing.then(async () => {
        await victim.kill();
        await sleep(300);
        victim.restart();
        await until(
          'all is well again',
          async () => (await stack.status()).State === 'bootstrapped',
          { deadlineMs: 40_000 },
        );
      });
      return killing;
    });
    await killing;
    expect(victims).toEqual([]);
    expect(published.refused).toEqual([]);
    const status = await stack.drained(120_000);
    expect(status.Queue.DeadLetters + status.Manifest.DeadLetters).toBe(0);
    const rows = new Map(
      [...(quirkyRows(path) as ReadonlyMap<string, Record<string, string | number | null>[]>)].map(
        ([table, all]) => [table, all.filter((row) => row['WorkItemHash'] !== 'before')],
      ),
    );
    expect(compareWithFold(rows, foldCalls(calls, stack.hubId), stack.hubId).first).toEqual([]);
    expect(orderComplaints(rows, stack.hubId, published.accepted)).toEqual([]);
  }, 240_000);
});
