/**
 * MariaDB and MySQL as a server database: the pool, how values come back, and the lock that keeps
 * migrations apart.
 */
import { CompiledQuery, Kysely, MysqlDialect } from 'kysely';
import { createPool, type Pool, type TypeCastField, type TypeCastNext } from 'mysql2';
import { TidemarkError } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { isoDate } from '../../sql/codec.ts';
import { storeTable } from '../../engine/engine.ts';
import type { ServerDialect, Session } from '../server/dialect.ts';
import { connected } from '../server/session.ts';
import { mysqlFaultOf } from './faults.ts';
import { introspectMysql } from './introspect.ts';
import { inBackticks, mysqlSets } from './row-statements.ts';

const numbers: ReadonlySet<string> = new Set([
  'TINY',
  'SHORT',
  'LONG',
  'INT24',
  'LONGLONG',
  'FLOAT',
  'DOUBLE',
  'DECIMAL',
  'NEWDECIMAL',
  'YEAR',
]);

/**
 * Numbers as numbers, dates as ISO-8601 text, a single bit as 0 or 1, everything else as its text.
 */
function typeCast(field: TypeCastField, _next: TypeCastNext): unknown {
  if (field.type === 'BIT') return field.buffer()?.[0] ?? null;
  const text = field.string('utf8');
  if (text === null) return null;
  if (numbers.has(field.type)) return Number(text);
  return field.type === 'DATETIME' || field.type === 'TIMESTAMP' ? isoDate(text) : text;
}

function poolOf(url: string): Pool {
  const at = new URL(url);
  return createPool({
    host: decodeURIComponent(at.hostname),
    port: Number(at.port || 3306),
    user: decodeURIComponent(at.username),
    password: decodeURIComponent(at.password),
    database: decodeURIComponent(at.pathname.slice(1)),
    ...(at.searchParams.get('socketPath')
      ? { socketPath: at.searchParams.get('socketPath') ?? '' }
      : {}),
    ...(at.searchParams.has('ssl')
      ? { ssl: { rejectUnauthorized: at.searchParams.get('ssl') !== 'insecure' } }
      : {}),
    charset: 'utf8mb4',
    connectionLimit: bounds.poolMax,
    connectTimeout: bounds.checkMs * 2,
    enableKeepAlive: true,
    idleTimeout: 60_000,
    timezone: 'Z',
    typeCast,
  });
}

const seconds = (ms: number): number => Math.round(ms / 1_000);

/**
 * MariaDB ends what takes longer; MySQL knows that for reading statements only, and is given up by
 * us.
 */
const timeLimit = (ms: number, lockMs: number = ms): string =>
  `set session innodb_lock_wait_timeout = ${seconds(lockMs)} ` +
  `/*M!100100 , session max_statement_time = ${seconds(ms)} */`;

/**
 * A session as we need it: strict about values, in UTC, without locks on gaps between rows, and
 * bounded in time.
 */
const sessionSettings = [
  "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'",
  'set session transaction isolation level read committed',
  timeLimit(bounds.statementMs, bounds.lockMs),
];

const lockName = 'tidemark-migration';

async function underLock(session: Session, work: () => Promise<void>): Promise<void> {
  // A lock of the whole server: the database's name keeps those of others apart.
  const {
    rows: [row],
  } = await session.run({
    sql: `select get_lock(concat('${lockName}-', database()), ${seconds(bounds.migrationMs)}) as isOurs`,
    parameters: [],
  });
  if (row?.['isOurs'] !== 1)
    throw new TidemarkError(
      'UNAVAILABLE',
      `another migration of the database is under way for over ${seconds(bounds.migrationMs)} s`,
      { retryAfterMs: bounds.databaseRetryMs },
    );
  try {
    await session.run({ sql: timeLimit(bounds.migrationMs), parameters: [] });
    await work();
  } finally {
    await session
      .run({ sql: timeLimit(bounds.statementMs, bounds.lockMs), parameters: [] })
      .catch(() => undefined);
    await session
      .run({
        sql: `select release_lock(concat('${lockName}-', database())) as isFree`,
        parameters: [],
      })
      .catch(() => undefined);
  }
}

/** Text is equal only when it is the same: by code points, and trailing blanks count. */
async function collationOf(session: Session): Promise<string> {
  const wanted = ['utf8mb4_nopad_bin', 'utf8mb4_0900_bin', 'utf8mb4_bin'];
  const { rows } = await session.run({
    sql:
      'select collation_name as name from information_schema.collations where ' +
      `collation_name in (${wanted.map(() => '?').join(', ')})`,
    parameters: wanted,
  });
  return wanted.find((name) => rows.some((row) => row['name'] === name)) ?? 'utf8mb4_bin';
}

export function mysqlDialect(url: string): ServerDialect {
  return {
    kind: 'mysql',
    sets: mysqlSets,
    savepoint: { set: 'savepoint tidemark', rollback: 'rollback to savepoint tidemark' },
    storeId: {
      sql: `select ${inBackticks('StoreID')} from ${inBackticks(storeTable)} limit 1`,
      parameters: [],
    },
    open: () =>
      new Kysely<unknown>({
        dialect: new MysqlDialect({
          pool: poolOf(url),
          onCreateConnection: async (connection) => {
            for (const sql of sessionSettings)
              await connection.executeQuery(CompiledQuery.raw(sql));
          },
        }),
      }),
    introspect: introspectMysql,
    faultOf: mysqlFaultOf,
    migrate: (db, work) =>
      connected(db, async (session) => {
        await underLock(session, async () => work(session, await collationOf(session)));
      }),
    foreign: (sql, { rowsMax, timeoutMs }) => ({
      // A statement that changes tables commits by itself, and is then judged by the session, so
      // that the session only reads too. It ends the transaction that is open, in which nothing was
      // done yet. What stands behind /*! is read by MySQL alone.
      before: [
        `set session sql_select_limit = ${rowsMax} /*!80000 , session max_execution_time = ${Math.round(timeoutMs)} */`,
        'set session transaction read only',
        'start transaction read only',
      ],
      query: {
        sql: `/*M!100100 set statement max_statement_time = ${timeoutMs / 1_000} for */ ${sql}`,
        parameters: [],
      },
      after: [
        'set session transaction read write',
        'set session sql_select_limit = default /*!80000 , session max_execution_time = 0 */',
      ],
    }),
  };
}
