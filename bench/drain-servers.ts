/**
 * Draining a recorded backlog into PostgreSQL and MariaDB, against hand-written multi-row upserts
 * of the same folded rows with the same driver.
 */
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import type { RowMutation } from '../contracts/mutation.ts';
import { TestMariadb } from '../test/kit/servers/mariadb.ts';
import { TestPostgres } from '../test/kit/servers/postgres.ts';
import type { TestDatabase } from '../test/kit/servers/test-database.ts';
import { backlog, drain, foldedBatches } from './drain.ts';
import { median, round } from './load.ts';
import { recordedWrites, type Rig } from './rig.ts';

const rounds = 3;
/** Rows per hand-written statement; more were not faster. */
const rowsPerStatement = 500;

type Row = Record<string, unknown>;
type Hand = {
  begin(): Promise<unknown>;
  upsert(table: string, key: string[], rows: Row[]): Promise<unknown>;
  commit(): Promise<unknown>;
  close(): Promise<void>;
};

async function postgresHand(url: string): Promise<Hand> {
  const client = new pg.Client(url);
  // An error also rejects the statement that met it.
  client.on('error', () => undefined);
  await client.connect();
  // A column that is null in all rows does not show its type.
  const typeOf = (value: unknown, column: string) =>
    column === 'Health'
      ? 'double precision'
      : typeof value === 'number'
        ? Number.isInteger(value)
          ? 'bigint'
          : 'double precision'
        : typeof value === 'boolean'
          ? 'boolean'
          : 'text';
  return {
    begin: () => client.query('begin'),
    commit: () => client.query('commit'),
    close: () => client.end(),
    upsert(table, key, rows) {
      const columns = Object.keys(rows[0] as Row);
      const arrays = columns.map(
        (column, at) =>
          `$${at + 1}::${typeOf(
            rows.map((row) => row[column]).find((value) => value !== null),
            column,
          )}[]`,
      );
      const set = columns
        .filter((column) => !key.includes(column))
        .map((column) => `"${column}" = excluded."${column}"`);
      const names = columns.map((column) => `"${column}"`).join();
      return client.query(
        `insert into "${table}" (${names}) select * from unnest(${arrays.join()}) on ` +
          `conflict (${key.map((column) => `"${column}"`).join()}) do update set ${set.join()}`,
        columns.map((column) => rows.map((row) => row[column])),
      );
    },
  };
}

async function mariadbHand(url: string): Promise<Hand> {
  const client = await createConnection(url);
  return {
    begin: () => client.query('begin'),
    commit: () => client.query('commit'),
    close: () => client.end(),
    upsert(table, _key, rows) {
      const columns = Object.keys(rows[0] as Row);
      const set = columns.map((column) => `\`${column}\` = values(\`${column}\`)`);
      return client.query(
        `insert into \`${table}\` (${columns.map((column) => `\`${column}\``).join()}) ` +
          `values ? on duplicate key update ${set.join()}`,
        [rows.map((row) => columns.map((column) => row[column]))],
      );
    },
  };
}

/**
 * Groups rows with the same columns, many rows per statement and one transaction per batch. Returns
 * the seconds it took.
 */
async function byHand(hand: Hand, groups: RowMutation[][]): Promise<number> {
  const started = performance.now();
  for (const group of groups) {
    await hand.begin();
    const shapes = Map.groupBy(
      group,
      (one) => `${one.Table}:${Object.keys({ ...one.Key, ...one.Fill, ...one.Set }).join()}`,
    );
    for (const all of shapes.values()) {
      const [first] = all as [RowMutation];
      const rows = all.map((one) => ({
        ...one.Key,
        ...one.Fill,
        ...one.Set,
        BridgeSeq: one.Seq,
        Deleted: false,
      }));
      for (let from = 0; from < rows.length; from += rowsPerStatement)
        await hand.upsert(
          first.Table,
          Object.keys(first.Key),
          rows.slice(from, from + rowsPerStatement),
        );
    }
    await hand.commit();
  }
  const seconds = (performance.now() - started) / 1000;
  await hand.close();
  return seconds;
}

async function one(
  rig: Rig,
  name: string,
  server: TestDatabase,
  handOf: (url: string) => Promise<Hand>,
) {
  const writes = recordedWrites(backlog);
  const groups = foldedBatches(writes);
  const rows = groups.reduce((sum, group) => sum + group.length, 0);
  const seen: { seconds: number; handSeconds: number }[] = [];
  for (let run = 0; run < rounds; run++) {
    const database = await server.createDatabase();
    const seconds = await drain(rig, `${name}${run}`, writes, () => server.url(database));
    // The worker has created the tables; empty them and use them again.
    for (const table of ['UVQueueWorkItem', 'UVQueueWorkItemEvent', 'UVQueueWorkItemAttempt'])
      await server.query(`truncate table "${table}"`, database);
    seen.push({ seconds, handSeconds: await byHand(await handOf(server.url(database)), groups) });
  }
  const ratios = seen.map(({ seconds, handSeconds }) => handSeconds / seconds);
  const { seconds, handSeconds } = seen[seen.length - 1] as (typeof seen)[number];
  return {
    ratio: round(median(ratios)),
    target: 0.6,
    ratios: ratios.map(round),
    rowsPerSecond: Math.round(rows / seconds),
    handRowsPerSecond: Math.round(rows / handSeconds),
    entriesPerSecond: Math.round(backlog / seconds),
  };
}

export async function benchDrainServers(rig: Rig) {
  await using postgres = await TestPostgres.start();
  const postgresql = await one(rig, 'pg', postgres, postgresHand);
  await using maria = await TestMariadb.start();
  return { postgresql, mariadb: await one(rig, 'my', maria, mariadbHand) };
}
