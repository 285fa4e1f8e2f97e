/** Each answer of a running worker is as docs/openapi.json says, for every route of it. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApiDocument } from '../../../worker/http/openapi.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';
import { ask, type Asked } from '../../kit/processes/worker-kit.ts';

type Operation = {
  security: object[];
  responses: Record<string, { content: Record<string, { schema: object }> }>;
  requestBody?: object;
};
type Document = { paths: Record<string, Record<string, Operation>>; components: object };

const document = openApiDocument('0') as unknown as Document;
const told = Object.entries(document.paths)
  .flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  .toSorted();

const lab = '/api/lab/ultravisor-instances';

/** Calls that are refused, and the field each is refused by. */
const wrong: [method: string, path: string, real: string, field: string, body?: unknown][] = [
  ['GET', '/api/beacons/{id}/connections', '/api/beacons/a.b/connections', 'id'],
  ['GET', '/api/lab/beacons/{id}/connections', '/api/lab/beacons/a.b/connections', 'id'],
  ['GET', '/api/locate/{guid}', '/api/locate/none', 'guid'],
  ['GET', '/api/dead-letters/{seq}', '/api/dead-letters/one', 'seq'],
  ['POST', '/api/dead-letters/{seq}/{verb}', '/api/dead-letters/one/retry', 'seq'],
  ['GET', '/api/operator-log', '/api/operator-log?limit=many', 'limit'],
  ['GET', '/api/operator-log', '/api/operator-log?before=-1', 'before'],
  ['GET', '/api/dead-letters', '/api/dead-letters?limit=x', 'limit'],
  ['GET', '/api/dead-letters', '/api/dead-letters?after=x', 'after'],
  ['GET', '/api/locate', '/api/locate', 'key'],
  ['GET', '/api/locate', '/api/locate?key=', 'key'],
  ['GET', '/api/locate', '/api/locate?key=a&lane=b', 'lane'],
  ['GET', '/api/events', '/api/events?watch=me', 'watch'],
  ...[`${lab}/{id}`, `${lab}/{id}/persistence-status`].map(
    (path) => ['GET', path, path.replace('{id}', 'a.b'), 'id'] as [string, string, string, string],
  ),
  [
    'POST',
    `${lab}/{id}/persistence-beacon`,
    `${lab}/a.b/persistence-beacon`,
    'id',
    { IDBeacon: null },
  ],
  ...[
    [{}, 'IDBeacon'],
    [{ IDBeacon: 'a b' }, 'IDBeacon'],
    [{ IDBeacon: 7 }, 'IDBeacon'],
    [{ IDBeacon: 'db-1', IDBeaconConnection: 'one' }, 'IDBeaconConnection'],
    ['text', 'body'],
  ].map(
    ([body, field]) =>
      ['POST', `${lab}/{id}/persistence-beacon`, `${lab}/hub1/persistence-beacon`, field, body] as [
        string,
        string,
        string,
        string,
        unknown,
      ],
  ),
  ...[
    [{}, 'BeaconID'],
    [{ BeaconID: 'a b' }, 'BeaconID'],
    [{ BeaconID: true }, 'BeaconID'],
    [{ BeaconID: 'db-1', IDBeaconConnection: 1.5 }, 'IDBeaconConnection'],
    [{ BeaconID: 'db-1', IDBeaconConnection: -1 }, 'IDBeaconConnection'],
    [{ BeaconID: 'db-1' }, 'IDBeaconConnection'],
    [[], 'body'],
  ].map(
    ([body, field]) =>
      ['POST', '/Ultravisor/Persistence/Assign', '/Ultravisor/Persistence/Assign', field, body] as [
        string,
        string,
        string,
        string,
        unknown,
      ],
  ),
];

describe('of a running worker', () => {
  let stack: Stack;
  let port = 0;
  let token = '';
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'doc');
  const seen = new Set<string>();

  beforeAll(async () => {
    stack = await Stack.start();
    port = Number(new URL(stack.httpUrl).port);
    token = readFileSync(stack.workerFile('token'), 'utf8').trim();
  }, 90_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  function schemaOf(method: string, path: string, status: number): ValidateFunction {
    const at = [
      path,
      method.toLowerCase(),
      'responses',
      String(status),
      'content',
      'application/json',
      'schema',
    ]
      .map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
      .map(encodeURIComponent);
    return ajv.compile({ $ref: `doc#/paths/${at.join('/')}` });
  }

  /** Calls, and holds the answer against the schema of its status. */
  async function call(
    method: string,
    path: string,
    status: number,
    real: string,
    more: Omit<Asked, 'method' | 'path'> = {},
  ): Promise<void> {
    const answer = await ask(port, {
      method,
      path: real,
      headers: { Authorization: `Bearer ${token}` },
      ...more,
    });
    expect([method, real, answer.status, answer.status === status ? '' : answer.text]).toEqual([
      method,
      real,
      status,
      '',
    ]);
    const kinds = Object.keys(
      document.paths[path]?.[method.toLowerCase()]?.responses[status]?.content ?? {},
    );
    seen.add(`${method} ${path}`);
    if (kinds[0] !== 'application/json')
      return expect([real, String(answer.headers['content-type']).split(';')[0]]).toEqual([
        real,
        kinds[0],
      ]);
    const validate = schemaOf(method, path, status);
    expect([real, validate(JSON.parse(answer.text)), validate.errors]).toEqual([real, true, null]);
  }

  /** Of a stream only its beginning is looked at. */
  async function followed(path: string, real: string): Promise<void> {
    const stop = new AbortController();
    const { status, headers } = await fetch(stack.httpUrl + real, { signal: stop.signal });
    stop.abort();
    seen.add(`GET ${path}`);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  }

  test('each answer is as the document says, for every route', async () => {
    await stack.hub.client.upsertWorkItem(
      { WorkItemHash: 'wi-1', Status: 'Pending' },
      { EventGUID: guidOf('one') },
    );
    await stack.drained();
    for (const path of [
      '/livez',
      '/readyz',
      '/healthz',
      '/metrics',
      '/api/openapi.json',
      '/Ultravisor/Persistence/Status',
      '/api/status',
      '/api/hwm',
      '/api/beacons',
      '/api/ops',
      '/api/journal',
      '/api/operator-log',
      '/api/dead-letters',
      lab,
    ])
      await call('GET', path, 200, path);
    await call('GET', '/api/beacons/{id}/connections', 200, '/api/beacons/db-1/connections');
    await call('GET', '/api/beacons/{id}/connections', 404, '/api/beacons/db-9/connections');
    await call(
      'GET',
      '/api/lab/beacons/{id}/connections',
      200,
      '/api/lab/beacons/db-1/connections',
    );
    await call('GET', '/api/locate/{guid}', 200, `/api/locate/${guidOf('one')}`);
    await call('GET', '/api/locate/{guid}', 404, `/api/locate/${guidOf('other')}`);
    await call('GET', '/api/operator-log', 200, '/api/operator-log?limit=1');
    await call('GET', '/api/locate', 200, '/api/locate?key=wi-1');
    await call('GET', '/api/locate', 404, '/api/locate?key=wi-9&lane=queue');
    await call('GET', '/api/dead-letters', 200, '/api/dead-letters?limit=1');
    await call('GET', '/console/{file}', 200, '/console/main.js');
    await call('GET', '/console/{file}', 404, '/console/none.js');
    for (const path of ['/', '/api/fleet', '/api/history']) await call('GET', path, 200, path);
    await followed('/api/events', '/api/events?watch=fleet');
    await call('GET', `${lab}/{id}`, 200, `${lab}/hub1`);
    await call('GET', `${lab}/{id}`, 404, `${lab}/hub9`);
    await call('GET', `${lab}/{id}/persistence-status`, 200, `${lab}/hub1/persistence-status`);
    await call('POST', `${lab}/{id}/persistence-beacon`, 200, `${lab}/hub1/persistence-beacon`, {
      body: { IDBeacon: 'db-1', IDBeaconConnection: 1 },
    });
    await call('POST', `${lab}/{id}/persistence-beacon`, 404, `${lab}/hub9/persistence-beacon`, {
      body: { IDBeacon: 'db-1', IDBeaconConnection: 1 },
    });
    await call('POST', '/Ultravisor/Persistence/Assign', 200, '/Ultravisor/Persistence/Assign', {
      body: { BeaconID: 'db-1', IDBeaconConnection: 1 },
    });
    for (const verb of ['pause', 'resume']) await call('POST', '/api/{verb}', 200, `/api/${verb}`);
    for (const [headers, status] of [
      [{}, 401],
      [{ Authorization: `Bearer ${token}`, Origin: 'http://evil.example' }, 403],
    ] as const)
      await call('POST', '/api/{verb}', status, '/api/pause', { headers });
  }, 120_000);

  test('a dead letter too, shown, tried again and given up', async () => {
    // As a constraint somebody added to the table: the database refuses the row for good.
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(stack.backendPath);
    db.exec(
      'create trigger refuse before insert on UVQueueWorkItem when new.WorkItemHash like ' +
        "'bad%' begin select raise(abort, 'CHECK constraint failed: bad'); end",
    );
    db.close();
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'bad-1', Status: 'Pending' });
    const dead = await until(
      'it is a dead letter',
      async () =>
        (await stack.control<{ DeadLetters: { Seq: number }[] }>('dead-letters')).DeadLetters[0],
      { deadlineMs: 45_000 },
    );
    await call('GET', '/api/dead-letters', 200, '/api/dead-letters');
    await call('GET', '/api/dead-letters/{seq}', 200, `/api/dead-letters/${dead.Seq}`);
    await call('GET', '/api/dead-letters/{seq}', 404, '/api/dead-letters/999');
    await call('POST', '/api/dead-letters/{seq}/{verb}', 404, '/api/dead-letters/999/drop');
    await call('POST', '/api/dead-letters/{seq}/{verb}', 200, `/api/dead-letters/${dead.Seq}/drop`);
  }, 90_000);

  test('what is wrong is refused by the name of the field: in the path, in the query, in the body', async () => {
    for (const [method, path, real, field, body] of wrong) {
      await call(method, path, 400, real, { body });
      const { json } = await ask(port, {
        method,
        path: real,
        headers: { Authorization: `Bearer ${token}` },
        body,
      });
      expect([
        real,
        body,
        String(json['Reason']).startsWith(`${field}: `) || String(json['Reason']),
      ]).toEqual([real, body, true]);
    }
    // Every operation that takes something was among them.
    const takes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, one]) => one.responses['400'])
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    );
    expect(
      takes.filter((one) => !wrong.some(([method, path]) => one === `${method} ${path}`)),
    ).toEqual([]);
  }, 120_000);

  test('nothing of the document was left out above', () => {
    expect([...seen].toSorted()).toEqual(told);
  });
});
