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
import { tidemark } from '../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';
import { SecuredNats } from '../kit/servers/secured-nats.ts';

const login = (user: string) => ({ NATS_USER: user, NATS_PASSWORD: 'pw' });

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

describe('with just those permissions', () => {
  let nats: SecuredNats;
  let worker: TidemarkProcess;
  let beacon: TidemarkProcess;
  const connections: NatsConnection[] = [];
  beforeAll(async () => {
    const { stdout } = await tidemark(['permissions'], { env: { TIDEMARK_INTAKE: 'jetstream' } });
    nats = await SecuredNats.start(
      (dir) =>
        `jetstream { store_dir: ${JSON.stringify(dir.at('js'))} ` +
        `}\n${stdout.replaceAll('password: "..."', 'password: "pw"')}`,
    );
    beacon = new TidemarkProcess(
      [
        'beacon',
        '--id',
        'db-1',
        '--db',
        `sqlite:${nats.dir.at('backend.sqlite')}`,
        '--data',
        nats.dir.at('beacon'),
        '--nats',
        nats.url,
      ],
      login('beacon'),
    );
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
    await Promise.all([worker?.kill(), beacon?.kill()]);
    await nats?.[Symbol.asyncDispose]();
  });

  const operator = (...args: string[]) =>
    tidemark([...args, '--nats', nats.url], { env: login('operator') });
  const as = async (user: string, name: string) => {
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

  test('worker, databeacon, hub and operator do all they have to, and nobody is refused anything', async () => {
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
    const oneWay = await Bus.connect(
      { servers: nats.url, name: 'tidemark-hub hub1', user: 'hub', password: 'pw' },
      createLog('test', 'silent'),
    );
    await publishOneWay(oneWay, 'tidemark-in.hub1.queue.QP_UpsertWorkItem', {
      EventGUID: guidOf('one-way'),
      Action: 'QP_UpsertWorkItem',
      Settings: { WorkItem: { WorkItemHash: 'ow-1' } },
    });
    await oneWay.close();
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
    for (const verb of operatorVerbs)
      expect([verb, [0, 6].includes((await operator(...verb)).code ?? 1)]).toEqual([verb, true]);

    expect(nats.log).not.toMatch(/violation/i);
    expect(worker.stderr + beacon.stderr).not.toMatch(/violation|permission/i);
  }, 120_000);

  test.each([
    ['hub', 'tidemark-hub hub1', 'mesh.db-1.DataBeaconBatch.Apply', 'tidemark.hub1.control.*'],
    ['hub', 'tidemark-hub hub1', 'tidemark.hub2.queue.QP_UpsertWorkItem', '_INBOX.>'],
    ['hub', 'tidemark-hub hub1', 'tidemark.hub1.control.clear', 'mesh.>'],
    [
      'operator',
      'tidemark-cli',
      'tidemark.hub1.queue.QP_UpsertWorkItem',
      '_INBOX.tidemark-worker-hub1.>',
    ],
    ['operator', 'tidemark-cli', 'tidemark.hub2.control.status', 'tidemark.hub1.queue.*'],
    [
      'beacon',
      'databeacon db-1',
      'tidemark.hub1.queue.QP_UpsertWorkItem',
      'mesh.db-2.DataBeaconBatch.*',
    ],
    ['beacon', 'databeacon db-1', '_INBOX.tidemark-cli.anything', '_INBOX.tidemark-cli.>'],
    ['worker', 'tidemark-worker hub1', 'mesh.db-2.DataBeaconBatch.Apply', 'tidemark.hub2.queue.*'],
    [
      'worker',
      'tidemark-worker hub1',
      'tidemark.hub2.control.assign',
      '_INBOX.tidemark-worker-hub2.>',
    ],
  ])(
    '%s (%s) may neither publish to %s nor listen on %s',
    async (user, name, published, subscribed) => {
      const connection = await as(user, name);
      connection.publish(published, 'x');
      connection.subscribe(subscribed, { callback: () => undefined });
      await connection.flush();
      const refused = (what: string, subject: string) =>
        nats.log
          .split('\n')
          .some(
            (line) =>
              line.includes(`${what} Violation`) &&
              line.includes(`"${user}"`) &&
              line.includes(`"${subject}"`),
          );
      await until(
        'both are refused',
        () => refused('Publish', published) && refused('Subscription', subscribed),
      );
    },
  );
});

test('the verb prints one process or all of them, and says what it does not know', async () => {
  const all = JSON.parse(
    (await tidemark(['permissions', '--json', '--beacon', '*', '--lab'])).stdout,
  ) as Record<string, { publish: { allow: string[] } }>;
  expect(Object.keys(all)).toEqual([...processes]);
  expect(all['worker']?.publish.allow).toEqual(
    expect.arrayContaining(['mesh.*.DataBeaconBatch.*', 'tidemark.*.control.assign']),
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
    stderr: expect.stringContaining('expected one of worker, beacon, hub, operator') as string,
  });
  expect(await tidemark(['permissions', '--beacon', 'a.b'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('a.b') as string,
  });
}, 120_000);
