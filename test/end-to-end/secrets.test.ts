/**
 * A password that stands in a URL, for the bus or for a database, is seen nowhere: logs, status,
 * health, connections, events, and errors of processes.
 */
import { connect } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { masked } from '../../runtime/masked.ts';
import { tidemark } from '../kit/processes/cli-fixture.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { until } from '../kit/until.ts';
import { ask } from '../kit/processes/worker-kit.ts';
import { SecuredNats } from '../kit/servers/secured-nats.ts';
import { freePort } from '../../runtime/bus/nats-server.ts';

const secret = /bus-secret|db-secret|http-secret/;

/** Connections whose settings hold a secret, as members and as a URL. */
const withSecrets = [
  {
    Name: 'more',
    Type: 'PostgreSQL',
    Config: { server: '127.0.0.1', port: 1, user: 'ann', password: 'db-secret', database: 'x' },
  },
  { Name: 'url', Type: 'PostgreSQL', Config: 'postgres://ann:db-secret@127.0.0.1:1/x' },
];

describe('while databases are away', () => {
  let nats: SecuredNats;
  let port: number;
  let worker: TidemarkProcess;
  let beacon: TidemarkProcess;
  const heard: string[] = [];
  beforeAll(async () => {
    nats = await SecuredNats.start(() => 'authorization { user: ann, password: "bus-secret" }');
    port = await freePort();
    const url = nats.url.replace('://', '://ann:bus-secret@');
    const listener = await connect({ servers: nats.url, user: 'ann', pass: 'bus-secret' });
    listener.subscribe('tidemark.*.event.>', {
      callback: (_, message) => void heard.push(message.string()),
    });
    listener.subscribe('mesh.presence.*', {
      callback: (_, message) => void heard.push(message.string()),
    });
    const databases = [
      'postgres://ann:db-secret@127.0.0.1:1/x?sslmode=disable',
      'mysql://ann:db-secret@127.0.0.1:1/x',
      'mssql://ann:db-secret@127.0.0.1:1/x?password=db-secret',
    ];
    beacon = new TidemarkProcess([
      'beacon',
      '--id',
      'db-1',
      ...databases.flatMap((one) => ['--db', one]),
      '--data',
      nats.dir.at('beacon'),
      '--nats',
      url,
    ]);
    worker = new TidemarkProcess(
      [
        'worker',
        '--data',
        nats.dir.at('worker'),
        '--http',
        `127.0.0.1:${port}`,
        '--nats',
        url,
        '--log-level',
        'debug',
      ],
      { TIDEMARK_TOKEN: 'http-secret' },
    );
    await until(
      'the worker knows the beacon',
      async () => (await ask(port, { path: '/api/beacons' })).text.includes('db-1'),
      { deadlineMs: 45_000 },
    );
  }, 120_000);
  afterAll(async () => {
    await Promise.all([worker?.kill(), beacon?.kill()]);
    await nats?.[Symbol.asyncDispose]();
  });

  test('no log, no answer and no event tells it', async () => {
    const bus = await connect({ servers: nats.url, user: 'ann', pass: 'bus-secret' });
    const request = async (subject: string, body: object) =>
      (await bus.request(subject, JSON.stringify(body), { timeout: 20_000 })).string();
    const seen: string[] = [];
    for (const connection of [1, 2, 3]) {
      await ask(port, {
        method: 'POST',
        path: '/Ultravisor/Persistence/Assign',
        headers: { Authorization: 'Bearer http-secret' },
        body: { BeaconID: 'db-1', IDBeaconConnection: connection },
      });
      await until(
        'the failure is told',
        async () => (await ask(port, {})).json['Queue']?.['LastError'] !== null,
        { deadlineMs: 45_000 },
      );
      seen.push((await ask(port, {})).text);
      seen.push(
        await request('mesh.db-1.DataBeaconManagement.Introspect', {
          Settings: { IDBeaconConnection: connection },
        }),
      );
    }
    for (const Settings of withSecrets)
      seen.push(await request('mesh.db-1.DataBeaconManagement.CreateConnection', { Settings }));
    const connections = await request('mesh.db-1.DataBeaconAccess.ListConnections', {
      Settings: {},
    });
    expect(connections).toContain('IDBeaconConnection');
    seen.push(connections, await request('tidemark.hub1.control.status', {}));
    for (const path of [
      '/healthz',
      '/metrics',
      '/api/beacons',
      '/api/lab/ultravisor-instances/hub1',
      '/api/operator-log',
      '/readyz',
    ])
      seen.push((await ask(port, { path })).text);
    for (const name of ['PING', 'INFO', 'STATS']) seen.push(await request(`$SRV.${name}`, {}));
    for (const verb of [
      ['status'],
      ['doctor', '--data', nats.dir.at('worker')],
      ['log'],
      ['beacon', 'audit', '--id', 'db-1', '--data', nats.dir.at('beacon')],
    ]) {
      const ran = await tidemark([
        ...verb,
        '--json',
        '--nats',
        nats.url.replace('://', '://ann:bus-secret@'),
      ]);
      seen.push(ran.stdout, ran.stderr);
    }
    await bus.close();
    expect(seen.filter((one) => secret.test(one))).toEqual([]);
    expect(heard.length).toBeGreaterThan(0);
    expect(heard.filter((one) => secret.test(one))).toEqual([]);
    expect(worker.stderr + worker.stdout + beacon.stderr + beacon.stdout).not.toMatch(secret);
  }, 120_000);

  test('neither does a process that cannot start', async () => {
    const data = ['--data', nats.dir.at('none')];
    const wrongs = [
      ...[
        'nats://ann:bus-secret@',
        'nats://ann:bus-secret@127.0.0.1:1',
        'nats://bus-secret@127.0.0.1:1',
        'http://ann:bus-secret@x:y',
        'nats://ann:wrong-bus-secret@127.0.0.1:x',
        'nats://ann:bus-secret%@127.0.0.1:1',
      ].map((url) => ['status', '--nats', url]),
      ...[
        'what://ann:db-secret@h/x',
        'ann:db-secret@h/x',
        'postgres://ann:db-secret@',
        'mysql://ann:db-secret@h:port/x',
        'mssql://ann:db-secret@h/x/y',
        'sqlite:',
      ].map((url) => [
        'beacon',
        '--id',
        'db-9',
        '--db',
        url,
        '--nats',
        'nats://127.0.0.1:1',
        ...data,
      ]),
      ['beacon', 'plan', '--db', 'postgres://ann:db-secret@127.0.0.1:1/x'],
      ['worker', '--http', 'http-secret', ...data],
      ['status', '--nats', nats.url.replace('://', '://ann:bus-secretx@')],
    ];
    const ran = await Promise.all(
      wrongs.map(async (args) => [args, await tidemark(args)] as const),
    );
    expect(ran.filter(([, { code }]) => code === 0 || code === null).map(([args]) => args)).toEqual(
      [],
    );
    expect(
      ran
        .filter(([args, { stdout, stderr }]) =>
          secret.test(
            (stdout + stderr).replace(args.includes('http-secret') ? 'http-secret' : '', ''),
          ),
        )
        .map(([args, { stderr }]) => [args, stderr]),
    ).toEqual([]);
  }, 120_000);
});

test('what is masked, and what is left', () => {
  expect(
    masked(
      'a nats://ann:pw@h:1,nats://tok@g and postgres://h/x?sslmode=on&password=p%20w;token=t is',
    ),
  ).toBe('a nats://***@h:1,nats://***@g and postgres://h/x?sslmode=on&password=***;token=*** is');
  expect(masked('no postgres://ann:p@ss@h/x')).toBe('no postgres://***@h/x');
  for (const plain of ['nats://127.0.0.1:4222', 'mail ann@example.org', 'https://h/a?b=c'])
    expect(masked(plain)).toBe(plain);
});
