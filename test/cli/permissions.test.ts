/**
 * What `tidemark permissions` prints is enough for each process, on a real server that permits just
 * that, and what is outside is refused.
 */
import { randomBytes } from 'node:crypto';
import { connect, headers, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHubClient, type HubClientOptions, type HubHeaders } from '../../contracts/client.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { inboxOf } from '../../contracts/subjects.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { createLog } from '../../runtime/log.ts';
import { publishOneWay } from '../../runtime/bus/stream.ts';
import { processes } from '../../cli/permissions.ts';
import { QueuePersistenceBridge } from '../../dropin/bridges.ts';
import { tidemark } from '../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';
import { login, type Role, startPermitted } from '../kit/servers/permitted-nats.ts';
import type { SecuredNats } from '../kit/servers/secured-nats.ts';

const operatorVerbs = [
  ['pause'],
  ['resume'],
  ['hwm', 'show'],
  ['dead-letters', 'ls'],
  ['journal', 'stats'],
  ['log'],
  ['ops', 'status'],
  ['doctor'],
  ['clear'],
];

async function sendOneWay(url: string): Promise<void> {
  const oneWay = await Bus.connect(
    { servers: url, name: 'tidemark-hub hub1', user: 'hub', password: 'pw' },
    createLog('test', 'silent'),
  );
  await publishOneWay(oneWay, 'tidemark-in.hub1.queue.QP_UpsertWorkItem', {
    EventGUID: guidOf('one-way'),
    Action: 'QP_UpsertWorkItem',
    Settings: { WorkItem: { WorkItemHash: 'ow-1' } },
  });
  await oneWay.close();
}

/** The bridges in a hub's process: a write, a read of it, and how the worker is. */
async function throughDropin(url: string): Promise<void> {
  const bridge = new QueuePersistenceBridge({ NatsURL: url.replace('://', '://dropin:pw@') });
  try {
    expect(await bridge.upsertWorkItem({ WorkItemHash: 'di-1', Status: 'Pending' })).toMatchObject({
      Success: true,
    });
    expect(await bridge.getWorkItemByHash('di-1')).toMatchObject({ Success: true });
    await until(
      'it knows how the worker is',
      () => bridge.getPersistenceStatus().State === 'bootstrapped',
    );
  } finally {
    await bridge.close();
  }
}

describe('with just those permissions', () => {
  let nats: SecuredNats;
  let worker: TidemarkProcess;
  let beacon: TidemarkProcess;
  let second: TidemarkProcess;
  const connections: NatsConnection[] = [];
  beforeAll(async () => {
    nats = await startPermitted();
    const beaconOf = (id: string, user: Role) =>
      new TidemarkProcess(
        [
          'beacon',
          '--id',
          id,
          '--db',
          `sqlite:${nats.dir.at(`${id}.sqlite`)}`,
          '--data',
          nats.dir.at(id),
          '--nats',
          nats.url,
        ],
        login(user),
      );
    beacon = beaconOf('db-1', 'beacon');
    second = beaconOf('db-2', 'second');
    worker = new TidemarkProcess(
      [
        'worker',
        '--data',
        nats.dir.at('worker'),
        '--http',
        '127.0.0.1:0',
        '--intake',
        'jetstream',
        '--nats',
        nats.url,
      ],
      login('worker'),
    );
    await until('the worker is up', () => worker.stderr.includes('worker is up'), {
      deadlineMs: 45_000,
    });
  }, 120_000);
  afterAll(async () => {
    await Promise.all(connections.map((one) => one.close()));
    await Promise.all([worker?.kill(), beacon?.kill(), second?.kill()]);
    await nats?.[Symbol.asyncDispose]();
  });

  const operator = (...args: string[]) =>
    tidemark([...args, '--nats', nats.url], { env: login('operator') });
  const as = async (user: Role, name: string) => {
    const connection = await connect({
      servers: nats.url,
      user,
      pass: 'pw',
      inboxPrefix: inboxOf(name),
      maxReconnectAttempts: 0,
    });
    connections.push(connection);
    return connection;
  };
  const status = async () =>
    JSON.parse((await operator('status', '--json')).stdout) as WorkerStatus;

  test('worker, databeacons, hub, drop-in and operator do all they have to, nobody is refused anything', async () => {
    expect((await operator('assign', 'db-1', '1')).code).toBe(0);
    await until(
      'both lanes are bootstrapped',
      async () => (await status()).State === 'bootstrapped',
      { deadlineMs: 45_000 },
    );

    const connection = (await as(
      'hub',
      'tidemark-hub hub1',
    )) as unknown as HubClientOptions<HubHeaders>['connection'];
    const hub = createHubClient({ connection, headers, hub: 'hub1' });
    const batching = createHubClient({ connection, headers, hub: 'hub1', batch: true });
    await hub.upsertWorkItem({ WorkItemHash: 'wi-1', Status: 'Pending' });
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        batching.upsertWorkItem({ WorkItemHash: `b-${n}`, Status: 'Pending' }),
      ),
    );
    // Above the server's limit of 1 MiB: it goes in chunks, to the worker and on to the databeacon,
    // and comes back.
    const big = randomBytes(1_500_000).toString('base64');
    await hub.upsertManifest({ Hash: 'run-1', Big: big });
    expect(await hub.getWorkItemByHash('wi-1')).toMatchObject({
      Success: true,
      WorkItem: { Status: 'Pending' },
    });
    await sendOneWay(nats.url);
    expect(
      (
        await tidemark(['publish', 'examples/demo-queue.jsonl', '--nats', nats.url], {
          env: login('hub'),
          cwd: process.cwd(),
        })
      ).code,
    ).toBe(0);
    await until(
      'everything is delivered, the one-way write too',
      async () => {
        const { Queue, Manifest } = await status();
        return (
          Queue.Pending === 0 &&
          Manifest.Pending === 0 &&
          (await operator('locate', guidOf('one-way'), '--json')).stdout.includes('"applied"')
        );
      },
      { deadlineMs: 45_000 },
    );
    expect(await hub.getWorkItemByHash('ow-1')).toMatchObject({
      WorkItem: { WorkItemHash: 'ow-1' },
    });
    await throughDropin(nats.url);
    expect((await operator('assign', 'db-2', '1')).code).toBe(0);
    await until(
      'the second database has everything too',
      async () => {
        const { State, Queue } = await status();
        return State === 'bootstrapped' && Queue.AssignedBeaconID === 'db-2' && Queue.Pending === 0;
      },
      { deadlineMs: 45_000 },
    );
    for (const verb of operatorVerbs)
      expect([verb, [0, 6].includes((await operator(...verb)).code ?? 1)]).toEqual([verb, true]);

    expect(nats.log).not.toMatch(/violation/i);
    expect(worker.stderr + beacon.stderr + second.stderr).not.toMatch(/violation|permission/i);
  }, 120_000);
});

test('the verb prints one process or all of them, and says what it does not know', async () => {
  const all = JSON.parse(
    (await tidemark(['permissions', '--json', '--beacon', '*', '--lab'])).stdout,
  ) as Record<string, { publish: { allow: string[] } }>;
  expect(Object.keys(all)).toEqual([...processes]);
  expect(all['worker']?.publish.allow).toEqual(
    expect.arrayContaining(['mesh.*.DataBeaconBatch.Apply.hub1', 'tidemark.*.control.assign']),
  );
  expect(all['worker']?.publish.allow.join(' ')).not.toContain('$JS');
  expect(
    Object.keys(
      JSON.parse(
        (await tidemark(['permissions', 'beacon', '--json', '--beacon', 'db-7'])).stdout,
      ) as object,
    ),
  ).toEqual(['beacon']);
  expect(await tidemark(['permissions', 'everybody'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      'expected one of worker, beacon, hub, dropin, operator',
    ) as string,
  });
  expect(await tidemark(['permissions', '--beacon', 'a.b'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('a.b') as string,
  });
}, 120_000);
