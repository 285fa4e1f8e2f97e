/**
 * Draining a recorded backlog into SQLite, against hand-written multi-row upserts of the same
 * folded rows with the same driver, and against the 640 to 1 300 entries/s of the incumbent through
 * its gateway.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { foldBatch } from '../bridges/fold.ts';
import { toMutation } from '../bridges/lanes.ts';
import type { RowMutation } from '../contracts/mutation.ts';
import { encodeBody } from '../contracts/body/codec.ts';
import { atFullSpeed, median, round } from './load.ts';
import { newEventGuid, recordedWrites, type Rig, type Write } from './rig.ts';

/** An outage of some minutes; with a fifth of it, half the time would be V8 warming up. */
export const backlog = 300_000;
const incumbentPerSecond = 1_300;
const rounds = 3;
/** Rows per hand-written statement; more were not faster. */
const rowsPerStatement = 50;
/** Entries folded together by hand, as replay does at full size. */
const entriesPerBatch = 4_000;

type Status = {
  Queue: { Pending: number; State: string };
  Balance: { queue: { Difference: number } };
};

/**
 * Seconds a worker takes to drain a backlog into a database. `run` is part of the names; `urlOf`
 * gives the database URL for a folder.
 */
export async function drain(
  rig: Rig,
  run: string,
  writes: Write[],
  urlOf: (dir: string) => string,
): Promise<number> {
  const hub = `drain${run}`;
  const worker = await rig.startWorker(hub);
  const connection = await rig.connect();
  const items = writes.map(({ action, settings }) => ({
    Action: action,
    EventGUID: newEventGuid(),
    Settings: settings,
  }));
  const batches = Array.from({ length: Math.ceil(items.length / 500) }, (_, index) =>
    encodeBody({ Items: items.slice(index * 500, (index + 1) * 500) }, 'msgpack'),
  );
  await atFullSpeed(batches.length, 1, (index) =>
    connection.request(`tidemark.${hub}.queue.batch`, batches[index], { timeout: 60_000 }),
  );
  const beacon = `db-drain${run}`;
  const dir = join(rig.dir, beacon);
  mkdirSync(dir);
  const databeacon = rig.tidemark('beacon', '--id', beacon, '--db', urlOf(dir), '--data', dir);
  await rig.until('the databeacon is there', () =>
    rig.ask(`mesh.${beacon}.DataBeaconAccess.ListConnections`, { Settings: {} }),
  );
  await rig.ask(`tidemark.${hub}.control.pause`);
  await rig.ask(`tidemark.${hub}.control.assign`, { BeaconID: beacon, IDBeaconConnection: 1 });
  await rig.until(
    'it is bootstrapped',
    async () =>
      (await rig.ask<Status>(`tidemark.${hub}.control.status`))?.Queue.State === 'bootstrapped',
  );
  const started = performance.now();
  await rig.ask(`tidemark.${hub}.control.resume`);
  await rig.until(
    'the lag is zero',
    async () => (await rig.ask<Status>(`tidemark.${hub}.control.status`))?.Queue.Pending === 0,
  );
  const seconds = (performance.now() - started) / 1000;
  // Left running, they would prepare reads during the next run.
  for (const child of [worker, databeacon]) child.kill('SIGKILL');
  return seconds;
}

/** The rows that folding produces, batch by batch. */
export function foldedBatches(writes: Write[]): RowMutation[][] {
  const groups: RowMutation[][] = [];
  for (let from = 0; from < writes.length; from += entriesPerBatch) {
    const entries = writes
      .slice(from, from + entriesPerBatch)
      .map(({ action, settings }, index) => {
        const key = JSON.stringify(settings).match(/"WorkItemHash":"([^"]*)"/)?.[1] ?? '';
        const mutation = toMutation({
          seq: from + index + 1,
          hubId: 'hand',
          action: action as never,
          eventGuid: newEventGuid(),
          key,
          at: null,
          acceptedAt: '2026-01-01T00:00:00.000Z',
          remoteUser: 'ultravisor-system',
          settings: settings as never,
        });
        return { mutation, key };
      });
    groups.push(foldBatch(entries, true).map((one) => one.mutation));
  }
  return groups;
}

/**
 * Writes the same rows to the same tables by hand: rows with the same columns grouped, many rows
 * per statement and one transaction per batch.
 */
function byHand(file: string, tablesOf: string, groups: RowMutation[][]): number {
  const db = new Database(file);
  const source = new Database(tablesOf, { readonly: true });
  for (const { sql } of source
    .prepare(
      "select sql from sqlite_master where sql is not null and name like '%UV%' and name not like 'sqlite_%'",
    )
    .all() as { sql: string }[])
    db.exec(sql);
  source.close();
  for (const pragma of ['journal_mode = wal', 'synchronous = full']) db.pragma(pragma);
  db.exec('create table warm (id integer); insert into warm values (1)');
  db.pragma('synchronous = full');
  const statements = new Map<string, Database.Statement>();
  const started = performance.now();
  for (const group of groups) db.transaction(() => writeGroup(db, statements, group))();
  const seconds = (performance.now() - started) / 1000;
  db.close();
  return seconds;
}

function writeGroup(
  db: Database.Database,
  statements: Map<string, Database.Statement>,
  group: RowMutation[],
): void {
  const shapes = Map.groupBy(
    group,
    (one) => `${one.Table}:${Object.keys({ ...one.Key, ...one.Fill, ...one.Set }).join()}`,
  );
  for (const rows of shapes.values()) {
    for (let from = 0; from < rows.length; from += rowsPerStatement)
      writeRows(db, statements, rows.slice(from, from + rowsPerStatement));
  }
}

function writeRows(
  db: Database.Database,
  statements: Map<string, Database.Statement>,
  rows: RowMutation[],
): void {
  const [first] = rows as [RowMutation];
  const values = rows.map((one) => ({
    ...one.Key,
    ...one.Fill,
    ...one.Set,
    BridgeSeq: one.Seq,
    CreateDate: '2026-01-01',
    Deleted: 0,
  }));
  const columns = Object.keys(values[0] as object);
  const name = `${first.Table}:${columns.join()}:${rows.length}`;
  const key = Object.keys(first.Key);
  const set = columns
    .filter((column) => !key.includes(column))
    .map((column) => `"${column}" = excluded."${column}"`);
  let statement = statements.get(name);
  if (!statement) {
    const places = rows.map(() => `(${columns.map(() => '?').join()})`).join();
    statement =
      db.prepare(`insert into "${first.Table}" (${columns.map((column) => `"${column}"`).join()}) values ${places}
      on conflict (${key.join()}) do update set ${set.join()}`);
    statements.set(name, statement);
  }
  statement.run(
    ...values.flatMap((row) =>
      Object.values(row).map((value) => (typeof value === 'boolean' ? Number(value) : value)),
    ),
  );
}

export async function benchDrain(rig: Rig) {
  const writes = recordedWrites(backlog);
  const ratios: number[] = [];
  let seconds = 0;
  let handSeconds = 0;
  const groups = foldedBatches(writes);
  const rows = groups.reduce((sum, group) => sum + group.length, 0);
  for (let run = 0; run < rounds; run++) {
    seconds = await drain(
      rig,
      String(run),
      writes,
      (dir) => `sqlite:${join(dir, 'backend.sqlite')}`,
    );
    handSeconds = byHand(
      join(rig.dir, `hand${run}.sqlite`),
      join(rig.dir, `db-drain${run}`, 'backend.sqlite'),
      groups,
    );
    ratios.push(handSeconds / seconds);
  }
  const entriesPerSecond = Math.round(backlog / seconds);
  return {
    sqlite: {
      ratio: round(median(ratios)),
      target: 0.6,
      ratios: ratios.map(round),
      rowsPerSecond: Math.round(rows / seconds),
      handRowsPerSecond: Math.round(rows / handSeconds),
    },
    incumbent: {
      ratio: round(entriesPerSecond / incumbentPerSecond),
      target: 50,
      entriesPerSecond,
      incumbentPerSecond,
    },
  };
}
