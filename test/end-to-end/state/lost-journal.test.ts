/**
 * The worker's data directory is lost and made anew: numbers go on upwards, and what comes after is
 * delivered over what was there.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRows } from '../../kit/rows/compare.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { until } from '../../kit/until.ts';

describe('a lost data directory', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  const row = () =>
    readRows(stack.backendPath, 'UVQueueWorkItem').find((one) => one['WorkItemHash'] === 'w');

  test('Seqs of the new journal are above all of the old, so that its writes win over old rows (I2)', async () => {
    const { client } = stack.hub;
    const old = await client.upsertWorkItem(
      { WorkItemHash: 'w', Status: 'Pending', Priority: 1 },
      { Wait: 'applied', WaitMs: 20_000 },
    );
    const epoch = (await stack.status()).Epoch;
    await stack.worker.stop();
    rmSync(stack.workerFile(), { recursive: true });
    stack.worker.restart();
    await until('the new worker answers', () => stack.status());
    await stack.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });
    const next = await client.updateWorkItem(
      'w',
      { Status: 'Complete' },
      { Wait: 'applied', WaitMs: 40_000 },
    );
    expect(next).toMatchObject({ Duplicate: false, Durability: 'applied' });
    expect(next.Seq).toBeGreaterThan(old.Seq);
    expect((await stack.status()).Epoch).not.toBe(epoch);
    expect(row()).toMatchObject({ Status: 'Complete', Priority: 1, BridgeSeq: next.Seq });
  }, 90_000);

  test('a worker started a second time on a data directory leaves with 4, and the first works on', async () => {
    await using second = new TidemarkProcess(
      stack.worker.args.map((argument) =>
        argument.startsWith('127.0.0.1:') ? '127.0.0.1:0' : argument,
      ),
    );
    expect(await second.exited).toBe('exit 4');
    expect(await stack.hub.client.updateWorkItem('w', { Status: 'Still' })).toMatchObject({
      Success: true,
    });
  });
});
