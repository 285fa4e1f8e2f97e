/**
 * Nothing that a running worker is asked for makes it drop the writer's lock: closing any
 * descriptor of that file in its process would (A1).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPath } from '../../../worker/http/openapi.ts';
import { type HttpOperation, operations } from '../../../worker/http/operations.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const guid = guidOf('w');
let stack: Stack;

/** Runs code with `Database`, `fs` and `path` in a process of its own. @returns what it printed */
function inChild(path: string, code: string): string {
  const prelude =
    `import Database from 'better-sqlite3'; import * as fs from 'node:fs'; import { ` +
    `spawnSync } from 'node:child_process'; const path = ${JSON.stringify(path)};`;
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', prelude + code], {
    cwd: root,
    encoding: 'utf8',
    timeout: 20_000,
  });
  return ran.status === 0 ? ran.stdout.trim() : `failed: ${ran.stderr}`;
}

const take = `const db = new Database(path, { timeout: 0 });
  try { db.exec('begin exclusive'); console.log('free'); } catch (error) { console.log(error.code); }`;

/** `free` when this process, which is not the worker's, can have the lock; else why not. */
function probe(): string {
  const db = new Database(pathsOf(stack.workerFile()).lock, { timeout: 0, fileMustExist: true });
  try {
    db.exec('begin exclusive');
    return 'free';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    db.close();
  }
}
const held = 'SQLITE_BUSY';

beforeAll(async () => {
  stack = await Stack.start();
  await stack.hub.client.upsertWorkItem(
    { WorkItemHash: 'w', Status: 'Pending' },
    { EventGUID: guid },
  );
  await stack.drained();
}, 60_000);
afterAll(() => stack?.[Symbol.asyncDispose]());

test('the probe can tell: a holder that opens and closes the file by plain calls lets another in (A1)', () => {
  using dir = tempDir('lock-kept');
  const another = `import Database from 'better-sqlite3'; const path = process.argv[1]; ${take}`;
  const holder = (harm: string) =>
    inChild(
      dir.at('writer.lock'),
      `const mine = new Database(path); mine.exec('begin exclusive'); ${harm}
    const given = ['--input-type=module', '-e', ${JSON.stringify(another)}, path];
    const ran = spawnSync(process.execPath, given, { encoding: 'utf8' });
    console.log(ran.stdout.trim());`,
    );
  expect(holder('')).toBe(held);
  expect(holder('fs.closeSync(fs.openSync(path));')).toBe('free');
});

function routesOf(hubId: string) {
  return [
    ...[
      '/livez',
      '/readyz',
      '/healthz',
      '/metrics',
      '/api/openapi.json',
      '/Ultravisor/Persistence/Status',
      '/api/status',
      '/api/hwm',
      '/api/beacons',
      '/api/beacons/db-1/connections',
      '/api/ops',
      '/api/journal',
      '/api/operator-log',
      '/api/dead-letters',
      '/api/dead-letters/1',
      `/api/locate/${guid}`,
      '/api/locate?key=a',
      '/api/fleet',
      '/api/history',
      '/api/events',
      '/',
      '/console/main.js',
      ...['', `/${hubId}`, `/${hubId}/persistence-status`].map(
        (path) => `/api/lab/ultravisor-instances${path}`,
      ),
      '/api/lab/beacons/db-1/connections',
    ].map((path) => ['GET', path] as const),
    ...[
      '/api/pause',
      '/api/resume',
      '/api/dead-letters/1/retry',
      '/api/dead-letters/1/drop',
      '/api/clear',
      '/Ultravisor/Persistence/Assign',
      `/api/lab/ultravisor-instances/${hubId}/persistence-beacon`,
    ].map((path) => ['POST', path] as const),
  ];
}

test('every HTTP route leaves the lock held (A1)', async () => {
  const headers = {
    Authorization: `Bearer ${readFileSync(stack.workerFile('token'), 'utf8').trim()}`,
    'Content-Type': 'application/json',
  };
  const assign = JSON.stringify({ BeaconID: 'db-1', IDBeacon: 'db-1', IDBeaconConnection: 1 });
  const routes = routesOf(stack.hubId);
  // Which there are is what the OpenAPI document says; it is held against the router. Drain is the
  // last test's.
  const isCalled = ({ method, path }: HttpOperation) =>
    routes.some(
      ([verb, called]) =>
        verb.toLowerCase() === method &&
        new RegExp(`^${openPath(path).replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(
          called.split('?')[0] ?? '',
        ),
    );
  expect(
    Object.values(operations)
      .filter((one) => !isCalled(one))
      .map(({ method, path }) => `${method} ${path}`),
  ).toEqual([]);
  for (const [method, path] of routes) {
    const answer = await fetch(stack.httpUrl + path, {
      method,
      headers,
      ...(path.endsWith('Assign') || path.endsWith('persistence-beacon') ? { body: assign } : {}),
    });
    // Events have no end.
    await (path === '/api/events' ? answer.body?.cancel() : answer.text());
    expect([path, answer.status, probe()]).toEqual([
      path,
      path.includes('dead-letters/1') || path === '/api/locate?key=a' ? 404 : 200,
      held,
    ]);
  }
}, 60_000);

test('every verb of control leaves the lock held (A1)', async () => {
  const target = { To: 0, Lane: 'queue', BeaconID: 'db-1', IDBeaconConnection: 1 };
  const calls: [verb: string, body: object][] = [
    ['status', {}],
    ['hwm', {}],
    ['hwm', { plan: target }],
    ['locate', { EventGUID: guid }],
    ['dead-letters', {}],
    ['journal', {}],
    ['pause', {}],
    ['hwm', { set: { ...target, Reason: 'a test', Force: true } }],
    ['resume', {}],
    ['ops', {}],
    ['ops', { Verb: 'history' }],
    ['operator-log', {}],
    ['drill', {}],
    ['clear', {}],
    ['assign', { BeaconID: 'db-1', IDBeaconConnection: 1 }],
  ];
  const known = await stack
    .control('nothing')
    .catch((error: Error) => error.message.replace(/.*there are /, '').split(', '));
  expect([...new Set([...calls.map(([verb]) => verb), 'drain'])].toSorted()).toEqual(
    (known as string[]).toSorted(),
  );
  for (const [verb, body] of calls) {
    await stack.control(verb, body);
    expect([verb, probe()]).toEqual([verb, held]);
  }
  const { Run } = await stack.control<{ Run: string }>('ops', { Verb: 'run', IsDryRun: true });
  await until(
    'the dry run is over',
    async () => (await stack.control<{ IsDone: boolean }>('ops', { Verb: 'progress', Run })).IsDone,
  );
  expect(probe()).toBe(held);
}, 60_000);

test('the command line beside the worker leaves the lock held, and a second worker is refused (A1)', async () => {
  const data = ['--data', stack.workerFile(), '--nats', stack.nats.url];
  for (const verb of [
    ['journal', 'verify'],
    ['journal', 'export'],
    ['ops', 'status'],
  ]) {
    const ran = await tidemark([...verb, ...data]);
    expect([verb, ran.code, probe()]).toEqual([verb, 0, held]);
  }
  expect((await tidemark(['worker', ...data, '--http', '127.0.0.1:0'])).code).toBe(4);
  expect(stack.worker.isRunning).toBe(true);
}, 60_000);

test('told to drain, the worker leaves, and only then the lock is free (A1)', async () => {
  expect(probe()).toBe(held);
  await stack.control('drain');
  expect(await stack.worker.exited).toBe('exit 0');
  expect(probe()).toBe('free');
}, 30_000);
