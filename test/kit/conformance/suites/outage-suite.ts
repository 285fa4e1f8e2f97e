/**
 * A database server that dies, cuts its connections, or is written by two beacons at once: what was
 * answered is there, what was not goes in once.
 */
import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { RowMutation } from '../../../../contracts/mutation.ts';
import type { TestDatabase } from '../../servers/test-database.ts';
import { until } from '../../until.ts';
import { Desk, freshDesk, openFor, type Shared } from '../desk.ts';

const item = 'UVQueueWorkItem';
/**
 * How each server says that somebody waits for a lock, and how its connections are cut, as an
 * administrator does it.
 */
const waiting: Record<string, string> = {
  postgresql: `select 1 from pg_stat_activity where wait_event_type = 'Lock'`,
  mysql: `select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT'`,
};
const sessions: Record<string, string> = {
  postgresql:
    'select pg_terminate_backend(pid) from pg_stat_activity where pid <> ' +
    'pg_backend_pid() and datname = current_database()',
  mysql:
    `select concat('kill ', id) as "Kill" from information_schema.processlist where id ` +
    '<> connection_id() and db = database()',
};

export function outageSuite(on: () => Shared, what: 'server' | 'file' | 'given'): void {
  describe('two beacons on one database', () => {
    concurrentTests(on);
  });
  const suites = { server: [killTests, sessionTests], file: [fileTests], given: [] };
  describe.for(suites[what])(`a ${what}`, (tests) => {
    tests(on);
  });
}

/** The server of this backend; a file has none. */
function server(on: () => Shared): TestDatabase {
  const { server: running } = on().backend;
  if (!running) throw new Error('this backend has no server');
  return running;
}

function killTests(on: () => Shared): void {
  test('killed in the middle of Apply: UNAVAILABLE, and after the restart the batch goes in, once (I2)', async () => {
    const d = await freshDesk(on().backend);
    await d.apply([d.workItem('w250', 1, { Status: 'first' })]);
    const { storeId } = await d.engine.check();
    const mutations = Array.from({ length: 500 }, (_, at) =>
      at % 3 ? d.workItem(`w${at}`, at + 2, { Status: 'second' }) : d.event(`e${at}`, at + 2),
    );
    const held = await d.place.hold(
      `update "${item}" set "Action" = 'held' where "WorkItemHash" = 'w250'`,
    );
    const applying = d.apply(mutations).catch((error: unknown) => error);
    // MariaDB renews what it tells of transactions only when nobody has asked for a tenth of a
    // second.
    await until(
      'Apply waits for the row',
      async () => (await d.place.query(waiting[on().backend.kind] ?? '')).length > 0,
      { everyMs: 150 },
    );
    await server(on).kill();
    expect(await applying).toMatchObject({ code: 'UNAVAILABLE' });
    await held.release();
    await expect(d.apply(mutations)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await d.engine.check()).toMatchObject({
      isConnected: false,
      reason: expect.not.stringMatching(/not-a-secret/) as string,
    });
    await server(on).start();
    await until('the database is there again', async () => (await d.engine.check()).isConnected);
    expect((await d.engine.check()).storeId).toBe(storeId);
    expect(await d.rows(item, 'WorkItemHash', 'Status', 'Action')).toEqual([
      { WorkItemHash: 'w250', Status: 'first', Action: '' },
    ]);
    const outputs = await d.apply(mutations);
    expect([outputs.IsCommitted, new Set(outputs.Results.map((result) => result.Outcome))]).toEqual(
      [true, new Set(['applied'])],
    );
    expect(new Set(await d.outcomes(mutations))).toEqual(new Set(['already-present']));
    expect([(await d.rows(item)).length, (await d.rows('UVQueueWorkItemEvent')).length]).toEqual([
      333, 167,
    ]);
  }, 60_000);

  test('killed amid batches: what was answered is there, going on from the mark completes it (I2, I5)', async () => {
    const d = await freshDesk(on().backend);
    const batch = (from: number): RowMutation[] =>
      Array.from({ length: 25 }, (_, at) =>
        d.workItem(`w${from + at}`, from + at, { Settings: '{"a":1}' }),
      );
    for (const stopAfter of [200, 450]) {
      const mark = Number((await d.rows('UVBridgeMark', 'Seq'))[0]?.['Seq'] ?? 0);
      let answered = mark;
      const ended = (async () => {
        for (;;) {
          await d.apply(batch(answered + 1));
          answered += 25;
        }
      })().catch((error: unknown) => error);
      await until('some batches are answered', () => answered >= stopAfter, { everyMs: 1 });
      await server(on).kill();
      expect(await ended).toMatchObject({ code: 'UNAVAILABLE' });
      await server(on).start();
      await until('the database is there again', async () => (await d.engine.check()).isConnected);
      const [stored] = await d.rows('UVBridgeMark', 'Seq');
      // The last commit may have been made and its answer lost.
      expect([answered, answered + 25]).toContain(stored?.['Seq']);
      expect(await d.rows(item, 'BridgeSeq')).toEqual(
        Array.from({ length: Number(stored?.['Seq']) }, (_, at) => ({ BridgeSeq: at + 1 })),
      );
      expect(
        (await d.apply(batch(answered + 1), { afterSeq: answered, afterEpoch: 'epoch-1' }))
          .IsCommitted,
      ).toBe(true);
    }
  }, 90_000);
}

function sessionTests(on: () => Shared): void {
  test('that cuts its connections is written again at once', async () => {
    const d = await freshDesk(on().backend);
    await d.apply([d.workItem('a', 1)]);
    const rows = await d.place.query(sessions[on().backend.kind] ?? '');
    for (const row of rows) if (typeof row['Kill'] === 'string') await d.place.query(row['Kill']);
    await until('Apply goes in', async () => (await d.apply([d.workItem('b', 2)])).IsCommitted, {
      deadlineMs: 5_000,
    });
    expect(await d.rows(item, 'WorkItemHash')).toEqual([
      { WorkItemHash: 'a' },
      { WorkItemHash: 'b' },
    ]);
  });

  test('whose database is dropped and made anew is a new one, with nothing applied to it unseen', async () => {
    const d = await freshDesk(on().backend);
    await d.apply([d.workItem('a', 1)]);
    const { storeId } = await d.engine.check();
    const name = d.place.url.split('/').at(-1) ?? '';
    await server(on).query(
      on().backend.kind === 'postgresql'
        ? `drop database ${name} with (force)`
        : `drop database ${name}`,
    );
    expect(await d.engine.check()).toMatchObject({ isConnected: false });
    await server(on).query(`create database ${name}`);
    await expect(d.apply([d.workItem('b', 2)])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await until(
      'it is there again, and not the same',
      async () => (await d.engine.check()).isConnected,
    );
    expect([storeId === '', (await d.engine.check()).storeId]).toEqual([false, '']);
  });
}

function fileTests(on: () => Shared): void {
  test('that is deleted is a new database, with nothing applied to it unseen', async () => {
    const d = await freshDesk(on().backend);
    await d.apply([d.workItem('a', 1)]);
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(`${d.place.url.slice('sqlite:'.length)}${suffix}`, { force: true });
    await expect(d.apply([d.workItem('b', 2)])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await d.engine.check()).toMatchObject({ isConnected: true, storeId: '' });
  });

  test('that is locked for long refuses the batch whole, and takes it afterwards', async () => {
    const d = await freshDesk(on().backend);
    const held = await d.place.hold(`update "${item}" set "Action" = 'held'`);
    await expect(d.apply([d.workItem('a', 1)])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await held.release();
    expect(await d.outcomes([d.workItem('a', 1)])).toEqual(['applied']);
  });
}

function concurrentTests(on: () => Shared): void {
  test('that write the same rows in opposite order both get through, and the newest Seq stays (I4)', async () => {
    const d = await freshDesk(on().backend);
    const other = new Desk(openFor(d.place).engine, d.place, d.hub);
    const keys = Array.from({ length: 40 }, (_, at) => `w${at}`);
    const rounds = async (desk: Desk, first: number, names: string[]) => {
      for (let round = 0; round < 6; round++) {
        const mutations = names.map((name, at) =>
          desk.workItem(name, round * 100 + at * 2 + first, { Status: `r${round}` }),
        );
        const outputs = await until('the batch goes in', () =>
          desk.apply(mutations, { isBelowMark: true }),
        );
        expect(outputs.Results.filter((result) => result.Outcome === 'rejected')).toEqual([]);
      }
    };
    await Promise.all([rounds(d, 1, keys), rounds(other, 2, keys.toReversed())]);
    const rows = await d.rows(item, 'WorkItemHash', 'BridgeSeq', 'Status');
    expect(
      rows.toSorted(
        (one, two) =>
          Number(String(one['WorkItemHash']).slice(1)) -
          Number(String(two['WorkItemHash']).slice(1)),
      ),
    ).toEqual(
      keys.map((name, at) => ({
        WorkItemHash: name,
        BridgeSeq: Math.max(500 + at * 2 + 1, 500 + (39 - at) * 2 + 2),
        Status: 'r5',
      })),
    );
  }, 60_000);

  test('that are sent one batch at the same time apply it once (I3)', async () => {
    const d = await freshDesk(on().backend);
    const desks = [
      d,
      ...Array.from({ length: 3 }, () => new Desk(openFor(d.place).engine, d.place, d.hub)),
    ];
    const mutations = Array.from({ length: 60 }, (_, at) =>
      at % 2
        ? d.event(`e${at}`, at + 1, { Payload: `${at}` })
        : d.workItem(`w${at}`, at + 1, {}, { Merge: { Extra: { at } } }),
    );
    const all = await Promise.all(
      desks.map((desk) =>
        until('the batch goes in', () => desk.apply(mutations, { afterEpoch: '' })),
      ),
    );
    expect(all.map((outputs) => outputs.IsCommitted)).toEqual([true, true, true, true]);
    expect(
      new Set(all.flatMap((outputs) => outputs.Results.map((result) => result.Outcome))),
    ).toEqual(new Set(['applied', 'already-present']));
    expect([
      (await d.rows(item)).length,
      (await d.rows('UVQueueWorkItemEvent')).length,
      (await d.rows('UVBridgeMark')).length,
    ]).toEqual([30, 30, 1]);
  }, 60_000);
}
