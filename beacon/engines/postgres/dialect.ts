/**
 * PostgreSQL as a server database: its pool, how values come back, and the lock that keeps
 * migrations apart.
 */
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { bounds } from '../../bounds.ts';
import { isoDate } from '../../sql/codec.ts';
import { jsonWithNul, withNul } from '../../sql/nul.ts';
import { storeTable } from '../../engine/engine.ts';
import type { ServerDialect, Session } from '../server/dialect.ts';
import { transact } from '../server/session.ts';
import { postgresFaultOf } from './faults.ts';
import { introspectPostgres } from './introspect.ts';
import { inDoubleQuotes, postgresSets } from './row-statements.ts';

/**
 * By the oid of the type: booleans as 0 and 1, numbers as numbers, dates as ISO-8601 text,
 * everything else as its text, with the NUL characters that are stored otherwise.
 */
const parsers: Record<number, (text: string) => unknown> = {
  16: (text) => (text === 't' ? 1 : 0),
  20: Number,
  21: Number,
  23: Number,
  26: Number,
  700: Number,
  701: Number,
  1700: Number,
  1114: isoDate,
  1184: isoDate,
  3802: jsonWithNul,
};

const asText = (text: string): unknown => withNul(text);

/**
 * Said once a connection is there, not while it is made: poolers in between know few settings then.
 */
const sessionSettings = `
  set statement_timeout = ${bounds.statementMs}; set lock_timeout = ${bounds.lockMs};
  set idle_in_transaction_session_timeout = ${bounds.migrationMs};
  set timezone = 'UTC'; set standard_conforming_strings = on`;

function poolOf(url: string, onLost: () => void): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: bounds.poolMax,
    connectionTimeoutMillis: bounds.checkMs * 2,
    keepAlive: true,
    idleTimeoutMillis: 60_000,
    application_name: 'tidemark-databeacon',
    types: { getTypeParser: (oid: number) => parsers[oid] ?? asText },
  });
  // Without a listener a broken connection would end the process; who uses it hears of it by the
  // query.
  pool.on('error', onLost);
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return pool;
}

/** Where one migration keeps the others out: a number of its own, by database. */
const migrationLock = 7_463_645_901;

export function postgresDialect(url: string): ServerDialect {
  return {
    kind: 'postgresql',
    sets: postgresSets,
    savepoint: { set: 'savepoint tidemark', rollback: 'rollback to savepoint tidemark' },
    storeId: { sql: `select "StoreID" from ${inDoubleQuotes(storeTable)} limit 1`, parameters: [] },
    open: (onLost) =>
      new Kysely<unknown>({
        dialect: new PostgresDialect({
          pool: poolOf(url, onLost),
          onCreateConnection: async (connection) => {
            await connection.executeQuery(CompiledQuery.raw(sessionSettings));
          },
        }),
      }),
    introspect: introspectPostgres,
    faultOf: postgresFaultOf,
    migrate: (db, work) =>
      transact(db, async (session: Session) => {
        await session.run({
          sql: `set local statement_timeout = ${bounds.migrationMs}`,
          parameters: [],
        });
        await session.run({
          sql: `set local lock_timeout = ${bounds.migrationMs}`,
          parameters: [],
        });
        await session.run({ sql: 'select pg_advisory_xact_lock($1)', parameters: [migrationLock] });
        await work(session, '');
      }),
    foreign: (sql, { rowsMax, timeoutMs }) => ({
      before: [
        'set transaction read only',
        `set local statement_timeout = ${Math.round(timeoutMs)}`,
      ],
      // With a parameter it goes by the extended protocol, which takes one statement only.
      query: { sql: `select * from (${sql}\n) as tidemark_rows limit $1`, parameters: [rowsMax] },
      after: [],
    }),
  };
}
