/**
 * The lab's routes at one worker for several real ones on the same bus; one of them killed, one
 * frozen.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LaneState } from '../../../contracts/status.ts';
import { stateOf } from '../../../worker/operators/lab-persistence.ts';
import type { Persistence } from '../../../worker/operators/lab-persistence.ts';
import type { Instance } from '../../../worker/operators/lab.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../../kit/processes/processes.ts';
import { until } from '../../kit/until.ts';
import { startWorkerKit, type WorkerKit } from '../../kit/processes/worker-kit.ts';

const lab = '/api/lab/ultravisor-instances';

describe('three workers on one bus', () => {
  let kit: WorkerKit;
  let beacon: TidemarkProcess;
  const others = new Map<string, TidemarkProcess>();
  beforeAll(async () => {
    kit = await startWorkerKit();
    beacon = new TidemarkProcess([
      'beacon',
      '--id',
      'db-1',
      '--db',
      `sqlite:${kit.at('backend.sqlite')}`,
      '--data',
      kit.at('beacon'),
      '--nats',
      kit.nats.url,
    ]);
    for (const hub of ['hub2', 'hub3'])
      others.set(
        hub,
        new TidemarkProcess([
          'worker',
          '--hub',
          hub,
          '--data',
          kit.at(hub),
          '--http',
          '127.0.0.1:0',
          '--nats',
          kit.nats.url,
        ]),
      );
    await until(
      'all are up',
      () => [...others.values()].every((one) => one.stderr.includes('worker is up')),
      { deadlineMs: 45_000 },
    );
    await until(
      'the databeacon is seen',
      async () => (await kit.ask({ path: '/api/lab/beacons/db-1/connections' })).status === 200,
      { deadlineMs: 45_000 },
    );
  }, 120_000);
  afterAll(async () => {
    await Promise.all([...others.values(), beacon].map((one) => one?.kill()));
    await kit?.[Symbol.asyncDispose]();
  });

  const assign = (hub: string, body: object) =>
    kit.ask({
      method: 'POST',
      path: `${lab}/${hub}/persistence-beacon`,
      headers: { Authorization: `Bearer ${kit.token}` },
      body,
    });
  const instances = async () =>
    (await kit.ask({ path: lab })).json as unknown as { Instances: Instance[] };
  const persistence = async (hub: string) =>
    (await kit.ask({ path: `${lab}/${hub}/persistence-status` })).json as unknown as {
      Persistence: Persistence;
    };

  test('they are listed, and each has its own state', async () => {
    expect((await instances()).Instances).toMatchObject(
      ['hub1', 'hub2', 'hub3'].map((ID) => ({
        ID,
        Name: ID,
        Status: 'running',
        IDPersistenceBeacon: 0,
        IDPersistenceConnection: 0,
      })),
    );
    expect(await persistence('hub2')).toEqual({
      Persistence: {
        IDPersistenceBeacon: 0,
        IDPersistenceConnection: 0,
        BeaconRecord: null,
        ConnectionRecord: null,
        State: 'unassigned',
        LastError: null,
        BootstrappedAt: null,
        Queue: expect.objectContaining({ State: 'unassigned' }) as object,
        Manifest: expect.objectContaining({ State: 'unassigned' }) as object,
      },
    });
    expect((await kit.ask({ path: '/api/lab/beacons/db-1/connections' })).json).toMatchObject({
      Connections: [{ IDBeaconConnection: 1, Connected: true }],
    });
    expect((await kit.ask({ path: '/api/lab/beacons/db-9/connections' })).status).toBe(404);
  });

  test('another hub is assigned a database, and the assignment is taken back; its own log knows who', async () => {
    expect(await assign('hub2', { IDBeacon: 'db-1', IDBeaconConnection: 1 })).toMatchObject({
      status: 200,
      json: { Persistence: { IDPersistenceBeacon: 'db-1', IDPersistenceConnection: 1 } },
    });
    await until(
      'it is bootstrapped',
      async () => (await persistence('hub2')).Persistence.State === 'bootstrapped',
      { deadlineMs: 45_000 },
    );
    const { json } = await kit.ask({ path: `${lab}/hub2` });
    expect(json).toMatchObject({
      Instance: {
        ID: 'hub2',
        Status: 'running',
        IDPersistenceBeacon: 'db-1',
        IDPersistenceConnection: 1,
      },
      Persistence: {
        BeaconRecord: { BeaconID: 'db-1', Status: 'Online' },
        ConnectionRecord: { IDBeaconConnection: 1, Connected: true },
        State: 'bootstrapped',
        BootstrappedAt: expect.any(String) as string,
      },
    });
    expect((await persistence('hub1')).Persistence.State).toBe('unassigned');
    expect(await assign('hub2', { IDBeacon: null, IDBeaconConnection: 0 })).toMatchObject({
      status: 200,
      json: { Persistence: { IDPersistenceBeacon: 0, State: 'unassigned' } },
    });
    const log = await tidemark(['log', '--json', '--hub', 'hub2', '--nats', kit.nats.url]);
    expect(JSON.parse(log.stdout)).toMatchObject({
      Actions: [
        { Who: 'bus:lab:operator', Action: 'assign' },
        { Who: 'bus:lab:operator', Action: 'assign' },
      ],
    });
    expect((await kit.ask({ path: '/api/operator-log?limit=1' })).json).toMatchObject({
      Actions: [{ Who: 'operator', Via: 'http', Action: 'assign, hub hub2', Outcome: 'done' }],
    });
  });

  test('without the token nothing is forwarded, and a wrong body is refused by name', async () => {
    expect(
      (
        await kit.ask({
          method: 'POST',
          path: `${lab}/hub2/persistence-beacon`,
          body: { IDBeacon: 'db-1', IDBeaconConnection: 1 },
        })
      ).status,
    ).toBe(401);
    const wrong = await assign('hub2', { IDBeacon: 'db 1', IDBeaconConnection: 1 });
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('Beacon') as string]);
    expect((await persistence('hub2')).Persistence.State).toBe('unassigned');
  });

  test('a hub nobody has seen is 404', async () => {
    for (const [hub, status] of [
      ['hub9', 404],
      ['a.b', 400],
      ['*', 400],
      ['%2e%2e', 404],
    ] as const) {
      expect([
        hub,
        (await kit.ask({ path: `${lab}/${hub}` })).status,
        (await kit.ask({ path: `${lab}/${hub}/persistence-status` })).status,
        (await assign(hub, { IDBeacon: null })).status,
      ]).toEqual([hub, status, status, status]);
    }
  });

  test('one that was killed is 409, keeps what is known of it, and is itself again after its start', async () => {
    await assign('hub2', { IDBeacon: 'db-1', IDBeaconConnection: 1 });
    await kit.ask({ path: `${lab}/hub2` });
    await others.get('hub2')?.kill();
    // The bus may take a moment to see that the connection is gone; what it delivered until then is
    // as good as unanswered.
    await until(
      'the bus knows',
      async () =>
        (await instances()).Instances.find(({ ID }) => ID === 'hub2')?.Status === 'stopped',
      { deadlineMs: 20_000 },
    );
    expect(await assign('hub2', { IDBeacon: null })).toMatchObject({
      status: 409,
      json: {
        Success: false,
        Code: 'CONFLICT',
        Reason: expect.stringContaining('hub2 is not running') as string,
      },
    });
    expect((await kit.ask({ path: `${lab}/hub2/persistence-status` })).status).toBe(409);
    expect(await kit.ask({ path: `${lab}/hub2` })).toMatchObject({
      status: 200,
      json: {
        Instance: { Status: 'stopped', IDPersistenceBeacon: 'db-1' },
        Persistence: {
          IDPersistenceBeacon: 'db-1',
          Queue: null,
          Manifest: null,
          State: 'unassigned',
          LastError: expect.stringContaining('not running') as string,
        },
      },
    });
    others.get('hub2')?.restart();
    await until(
      'it is back',
      async () =>
        (await instances()).Instances.find(({ ID }) => ID === 'hub2')?.Status === 'running',
      { deadlineMs: 45_000 },
    );
    expect((await persistence('hub2')).Persistence.IDPersistenceBeacon).toBe('db-1');
  }, 90_000);

  test('one that stands still is 502, and nothing is changed, also not when it goes on', async () => {
    const pid = others.get('hub3')?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    expect(await assign('hub3', { IDBeacon: 'db-1', IDBeaconConnection: 1 })).toMatchObject({
      status: 502,
      json: { Success: false, Code: 'UNAVAILABLE' },
    });
    expect((await kit.ask({ path: `${lab}/hub3/persistence-status` })).status).toBe(502);
    expect((await instances()).Instances.map(({ ID, Status }) => [ID, Status])).toEqual([
      ['hub1', 'running'],
      ['hub2', 'running'],
      ['hub3', 'unresponsive'],
    ]);
    process.kill(pid, 'SIGCONT');
    expect(
      await until('it answers again', async () => (await persistence('hub3')).Persistence),
    ).toMatchObject({ IDPersistenceBeacon: 0, State: 'unassigned' });
    expect((await kit.ask({ path: '/api/operator-log?limit=1' })).json).toMatchObject({
      Actions: [
        {
          Action: 'assign, hub hub3',
          Outcome: 'failed',
          Reason: expect.stringContaining('no answer in time') as string,
        },
      ],
    });
  }, 120_000);

  test('an order that comes too late is not carried out', async () => {
    const control = (NotAfter: string) =>
      kit.ask({
        method: 'POST',
        path: '/Ultravisor/Persistence/Assign',
        headers: { Authorization: `Bearer ${kit.token}` },
        body: { BeaconID: 'db-1', IDBeaconConnection: 1, NotAfter },
      });
    expect((await control('2020-01-01T00:00:00.000Z')).status).toBe(503);
    expect((await persistence('hub1')).Persistence.State).toBe('unassigned');
    expect((await control('2999-01-01T00:00:00.000Z')).status).toBe(200);
  });
});

test('the state of both lanes in one word', () => {
  const words: LaneState[] = [
    'unassigned',
    'waiting-for-beacon',
    'bootstrapping',
    'bootstrapped',
    'error',
  ];
  const expected: Record<string, LaneState> = {};
  for (const a of words)
    for (const b of words) {
      const [worst] = ['error', 'waiting-for-beacon', 'bootstrapping'].filter(
        (bad) => a === bad || b === bad,
      );
      expected[`${a} ${b}`] = (worst ?? a) as LaneState;
    }
  expect(
    Object.fromEntries(words.flatMap((a) => words.map((b) => [`${a} ${b}`, stateOf([a, b])]))),
  ).toEqual(expected);
  expect(stateOf([])).toBe('unassigned');
});
