/**
 * The bus named as several servers, separated by commas, as the `nats` command takes them: whoever
 * needs the bus finds the one that is there.
 */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { QueuePersistenceBridge } from '../../dropin/bridges.ts';
import { freePort } from '../../runtime/bus/nats-server.ts';
import {
  startServer,
  startTidemark,
  tempFolder,
  tidemark,
  until,
  writeTrace,
} from '../kit/processes/cli-fixture.ts';

test.each(['the first', 'the last'])(
  'with two servers, %s of them dead, up, worker, beacon, publish, doctor and the bridges work',
  async (which) => {
    using folder = tempFolder();
    const server = await startServer(folder.path);
    onTestFinished(() => server.stop());
    const [dead, live] = [`nats://127.0.0.1:${await freePort()}`, server.url];
    const nats = which === 'the first' ? `${dead},${live}` : `${live}, ${dead}`;
    const env = { NATS_URL: nats };
    const data = join(folder.path, 'data');
    const up = startTidemark(['up', '--data', data, '--http', '127.0.0.1:0', '--nats', nats]);
    onTestFinished(async () => {
      up.child.kill('SIGTERM');
      await up.ended;
    });
    await until('it is up', () => up.out.stdout.includes('ready '), 60_000);
    const trace = writeTrace(folder.path, 'trace.jsonl', [
      ['upsertWorkItem', { WorkItemHash: 'w-1', Status: 'Queued' }],
    ]);
    const published = await tidemark(['publish', trace, '--hub', 'hub1'], { env });
    expect(published.stderr + published.stdout).toContain('"Accepted":1');
    const status = await tidemark(['status', '--json'], { env });
    expect(JSON.parse(status.stdout)).toMatchObject({ HubID: 'hub1', Term: 1 });
    const doctor = await tidemark(['doctor', '--data', data, '--json'], { env });
    expect(doctor.stdout).not.toMatch(/no bus at/);
    const bridge = new QueuePersistenceBridge({ NatsURL: nats, HubID: 'hub1' });
    onTestFinished(async () => {
      await bridge.close(0);
    });
    expect(await bridge.upsertWorkItem({ WorkItemHash: 'w-2' })).toMatchObject({ Success: true });
  },
  120_000,
);
