/**
 * SQL Server as a server database: its pool, how values come back, and the lock that keeps
 * migrations apart.
 */
import { Kysely, type KyselyPlugin, MssqlDialect } from 'kysely';
import * as tarn from 'tarn';
import * as tedious from 'tedious';
import { isoOf } from '../../../runtime/clock.ts';
import { bounds } from '../../bounds.ts';
import { StatementFault, storeTable } from '../../engine/engine.ts';
import type { ServerDialect, Session } from '../server/dialect.ts';
import { transact } from '../server/session.ts';
import { mssqlFaultOf } from './faults.ts';
import { introspectMssql } from './introspect.ts';
import { inBrackets, mssqlSets } from './row-statements.ts';

function connectionOf(url: string): tedious.Connection {
  const at = new URL(url);
  return new tedious.Connection({
    server: decodeURIComponent(at.hostname),
    authentication: {
      type: 'default',
      options: {
        userName: decodeURIComponent(at.username),
        password: decodeURIComponent(at.password),
      },
    },
    options: {
      port: Number(at.port || 1433),
      database: decodeURIComponent(at.pathname.slice(1)),
      encrypt: at.searchParams.get('encrypt') !== 'false',
      trustServerCertificate: at.searchParams.get('trustServerCertificate') === 'true',
      connectTimeout: bounds.checkMs * 2,
      requestTimeout: bounds.migrationMs,
      useUTC: true,
      appName: 'tidemark-databeacon',
      abortTransactionOnError: false,
    },
  });
}

/** Bits as 0 and 1, dates as ISO-8601 text. */
const plainValues: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  transformResult: async ({ result }) => ({
    ...result,
    rows: result.rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])),
    ),
  }),
};

function plain(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Date ? isoOf(value.getTime()) : value;
}

/**
 * The collation under which text is equal only when it is the same; the server pads with blanks all
 * the same when it compares.
 */
const textCollation = 'Latin1_General_100_BIN2';

export function mssqlDialect(url: string): ServerDialect {
  return {
    kind: 'mssql',
    sets: mssqlSets,
    savepoint: { set: 'save transaction tidemark', rollback: 'rollback transaction tidemark' },
    storeId: {
      sql: `select top 1 ${inBrackets('StoreID')} from ${inBrackets(storeTable)}`,
      parameters: [],
    },
    open: () =>
      new Kysely<unknown>({
        dialect: new MssqlDialect({
          tarn: {
            ...tarn,
            options: { min: 0, max: bounds.poolMax, createTimeoutMillis: bounds.checkMs * 2 },
          },
          tedious: { ...tedious, connectionFactory: () => connectionOf(url) },
        }),
        plugins: [plainValues],
      }),
    introspect: introspectMssql,
    faultOf: mssqlFaultOf,
    migrate: (db, work) =>
      transact(db, async (session: Session) => {
        await session.run({
          sql:
            `exec sp_getapplock @Resource = 'tidemark-migration', @LockMode = 'Exclusive', ` +
            `@LockTimeout = ${bounds.migrationMs}`,
          parameters: [],
        });
        await work(session, textCollation);
      }),
    foreign() {
      throw new StatementFault(
        'other',
        'NOT_OFFERED',
        'SQL Server knows no read-only transaction, so foreign SQL is not run there; use ' +
          'Aggregate, Join or ReadRecords',
      );
    },
  };
}
