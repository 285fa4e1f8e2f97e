/**
 * The main job on PostgreSQL and MariaDB through what happens to real databases: many starters, a
 * restore, a value refused, manifests of any size.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { subjects } from '../../contracts/subjects.ts';
import { decodeBody } from '../../contracts/body/codec.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { TestMariadb } from '../kit/servers/mariadb.ts';
import { TestPostgres } from '../kit/servers/postgres.ts';
import { TidemarkProcess } from '../kit/processes/processes.ts';
import { Stack } from '../kit/processes/stack.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { LookRow, TestDatabase } from '../kit/servers/test-database.ts';
import { until } from '../kit/until.ts';

const servers: {
  name: string;
  start: () => Promise<TestDatabase>;
  narrow: string;
  widen: string;
}[] = [
  {
    name: 'PostgreSQL',
    start: () => TestPostgres.start(),
    narrow: 'alter table "UVQueueWorkItem" alter column "Priority" type smallint',
    widen: 'alter table "UVQueueWorkItem" alter column "Priority" type bigint',
  },
  {
    name: 'MariaDB',
    start: () => TestMariadb.start(),
    narrow: 'alter table "UVQueueWorkItem" modify "Priority" smallint not null default 0',
    widen: 'alter table "UVQueueWorkItem" modify "Priority" bigint not null default 0',
  },
];
const tables = [
  'UVQueueWorkItem',
  'UVQueueWorkItemEvent',
  'UVQueueWorkItemAttempt',
  'UVManifest',
  'UVBridgeMark',
];

type On = { stack: Stack; rows: (sql: string) => Promise<LookRow[]> };

const write = ({ stack }: On, hash: string, priority: number) =>
  stack.hub.client.upsertWorkItem({
    WorkItemHash: hash,
    Status: `s${priority}`,
    Priority: priority,
  });

/** The one dead letter there is. */
function deadLetter({ stack }: On): Promise<{ Seq: number; Reason: string }> {
  return until(
    'the dead letter',
    async () => {
      const { DeadLetters } = await stack.control<{
        DeadLetters: { Seq: number; Reason: string }[];
      }>('dead-letters', { Verb: 'list' });
      const [first] = DeadLetters;
      if (!first || DeadLetters.length > 1) throw new Error(`${DeadLetters.length} dead letters`);
      return first;
    },
    { deadlineMs: 20_000 },
  );
}

async function refuseAndWiden(on: On, narrow: string, widen: string): Promise<void> {
  const { stack, rows } = on;
  await rows(narrow);
  await write(on, 'bad', 1);
  await stack.drained();
  await write(on, 'bad', 100_000);
  const dead = await deadLetter(on);
  expect(dead.Reason).toMatch(/out of range/i);
  await write(on, 'bad', 3);
  await stack.hub.client.appendEvent({ WorkItemHash: 'bad', EventType: 'waits' });
  await write(on, 'other', 4);
  await until(
    'the other key is there',
    async () =>
      (await rows(`select * from "UVQueueWorkItem" where "WorkItemHash" = 'other'`)).length === 1,
    { deadlineMs: 20_000 },
  );
  expect(
    await rows(`select "Priority" from "UVQueueWorkItem" where "WorkItemHash" = 'bad'`),
  ).toEqual([{ Priority: 1 }]);
  expect(await rows('select * from "UVQueueWorkItemEvent"')).toEqual([]);
  await rows(widen);
  await stack.control('dead-letters', { Verb: 'retry', Seq: dead.Seq });
  await stack.drained();
  expect(
    await rows(`select "Priority", "Status" from "UVQueueWorkItem" where "WorkItemHash" = 'bad'`),
  ).toEqual([{ Priority: 3, Status: 's3' }]);
  expect(await rows('select "EventType" from "UVQueueWorkItemEvent"')).toEqual([
    { EventType: 'waits' },
  ]);
}

async function restoreUnderTheWorker(on: On): Promise<void> {
  const { stack, rows } = on;
  for (let n = 0; n < 20; n++) await write(on, `early-${n}`, n);
  await stack.drained();
  for (const table of tables) await rows(`create table "Copy${table}" as select * from "${table}"`);
  for (let n = 0; n < 20; n++) await write(on, `late-${n}`, n);
  await stack.drained();
  for (const table of tables) {
    await rows(`delete from "${table}"`);
    await rows(`insert into "${table}" select * from "Copy${table}"`);
  }
  await write(on, 'after', 1);
  await until(
    'the gap is filled',
    async () =>
      (
        await rows(
          `select * from "UVQueueWorkItem" where "WorkItemHash" like 'late-%' or "WorkItemHash" = 'after'`,
        )
      ).length === 21,
    { deadlineMs: 30_000 },
  );
  expect(stack.worker.stderr).toMatch(/went back in time/);
  expect((await stack.drained()).Balance.queue.Difference).toBe(0);
  expect(
    await rows(`select count(*) as n from "UVQueueWorkItem" where "WorkItemHash" like 'early-%'`),
  ).toEqual([{ n: 20 }]);
}

async function manifestsOfAnySize(on: On): Promise<void> {
  const { stack, rows } = on;
  const { client } = stack.hub;
  // An answer is one message, so what is read back must get smaller than that by compression, as
  // logs and states do.
  const sizes = [0.5, 5, 11, 60].map((megabytes) => {
    const bytes = megabytes * 1_000_000;
    return {
      hash: `m-${megabytes}`,
      blob: megabytes > 5 ? logOf(bytes) : randomBytes(bytes * 0.75).toString('base64'),
    };
  });
  const sent = Promise.all(
    sizes.map(({ hash, blob }) =>
      client.upsertManifest({ Hash: hash, Status: 'Complete', Output: { blob } }),
    ),
  );
  for (let n = 0; n < 50; n++) await write(on, `beside-${n}`, n);
  expect((await sent).map((reply) => reply.Success)).toEqual([true, true, true, true]);
  await stack.drained(120_000);
  expect(
    await rows(`select count(*) as n from "UVQueueWorkItem" where "WorkItemHash" like 'beside-%'`),
  ).toEqual([{ n: 50 }]);
  for (const { hash, blob } of sizes) {
    const [row] = await rows(`select "ManifestJSON" from "UVManifest" where "Hash" = '${hash}'`);
    const { Manifest } = (await client.getManifest(hash)) as {
      Manifest?: { Output: { blob: string } };
    };
    const stored = JSON.parse(String(row?.['ManifestJSON'])) as { Output: { blob: string } };
    expect([hash, stored.Output.blob === blob, Manifest?.Output.blob === blob]).toEqual([
      hash,
      true,
      true,
    ]);
  }
  expect(
    [stack.worker, stack.beacon]
      .map((process) => peakMegabytes(process.pid))
      .filter((megabytes) => megabytes > 1_500),
  ).toEqual([]);
}

describe.for(servers)('on $name', ({ start, narrow, widen }) => {
  let server: TestDatabase;
  let on: On;

  beforeAll(async () => {
    server = await start();
    const database = await server.createDatabase();
    on = {
      stack: await Stack.start({ databaseUrl: server.url(database) }),
      rows: (sql) => server.query(sql, database),
    };
  }, 120_000);
  afterAll(async () => {
    await on?.stack[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  test('a value the database refuses is one dead letter; after the column is widened a retry delivers it (I7)', () =>
    refuseAndWiden(on, narrow, widen));

  test('a database put back to an older copy under the worker is noticed and made complete (I4, I5, I8)', () =>
    restoreUnderTheWorker(on));

  test(
    'manifests of 0.5, 5, 11 and 60 MB go through and come back equal, while other keys flow, in bounded memory',
    { timeout: 180_000 },
    () => manifestsOfAnySize(on),
  );
});

/** Lines of a log, all different and much alike. */
function logOf(bytes: number): string {
  const lines: string[] = [];
  for (let size = 0, n = 0; size < bytes; n++) {
    const line = `2026-11-21T08:00:00.000Z step ${n} of task ${n % 97} ended with ${(n * 7_919) % 10_007}`;
    size += line.length + 1;
    lines.push(line);
  }
  return lines.join('\n');
}

/** The most memory a process ever had. */
function peakMegabytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe.for(servers)('a fresh $name', ({ start }) => {
  test(
    'is bootstrapped by ten workers through two databeacons at once, without an error on the way',
    { timeout: 180_000 },
    async () => {
      await using server = await start();
      const url = server.url(await server.createDatabase());
      using folder = tempDir('ten');
      await using stack = await Stack.start({ databaseUrl: url, isAssigned: false });
      await using other = new TidemarkProcess([
        'beacon',
        '--id',
        'db-2',
        '--db',
        url,
        '--data',
        folder.at('beacon'),
        '--nats',
        stack.nats.url,
      ]);
      const hubs = Array.from({ length: 10 }, (_, at) => `many${at}`);
      const workers = hubs.map(
        (hub) =>
          new TidemarkProcess([
            'worker',
            '--hub',
            hub,
            '--data',
            folder.at(hub),
            '--http',
            '127.0.0.1:0',
            '--nats',
            stack.nats.url,
          ]),
      );
      try {
        const ask = async <T>(hub: string, verb: string, body: object = {}) => {
          const reply = await stack.hub.request(subjects.control(hub, verb), JSON.stringify(body), {
            'Content-Type': 'application/json',
          });
          return decodeBody(reply.data, reply.headers) as T & { Success?: boolean };
        };
        for (const hub of hubs)
          await until(`${hub} answers`, () => ask(hub, 'status'), { deadlineMs: 60_000 });
        await Promise.all(
          hubs.map((hub, at) =>
            ask(hub, 'assign', { BeaconID: `db-${(at % 2) + 1}`, IDBeaconConnection: 1 }),
          ),
        );
        for (const hub of hubs)
          await until(
            `${hub} is bootstrapped`,
            async () => (await ask<WorkerStatus>(hub, 'status')).State === 'bootstrapped',
            { deadlineMs: 60_000 },
          );
        for (const worker of workers)
          expect(worker.stderr).not.toMatch(/bootstrap failed|"level":50/);
        expect(other.stderr + stack.beacon.stderr).not.toMatch(/"level":50/);
      } finally {
        await Promise.all(workers.map((worker) => worker.kill()));
      }
    },
  );
});
