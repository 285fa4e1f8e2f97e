/**
 * The databases every conformance test runs on, each as the same few things: a fresh database, its
 * URL, and a look inside that is not the product's.
 */
import Database from 'better-sqlite3';
import type { EngineKind } from '../../../beacon/engine/engine.ts';
import { TestMariadb } from '../servers/mariadb.ts';
import { GivenMssql, mssqlUrl } from '../servers/mssql.ts';
import { TestPostgres } from '../servers/postgres.ts';
import { tempDir } from '../temp-dir.ts';
import type { HeldLock, LookRow, TestDatabase } from '../servers/test-database.ts';

/**
 * One database. `query` quotes names with `"` on every backend and gives dates as ISO text,
 * booleans as 0 and 1.
 */
export type Place = {
  url: string;
  query(sql: string): Promise<LookRow[]>;
  /** A transaction left open with its locks. */
  hold(sql: string): Promise<HeldLock>;
};

/** A backend that runs. `server` is null where the database is a file. */
export type RunningBackend = AsyncDisposable & {
  kind: EngineKind;
  server: TestDatabase | null;
  fresh(): Promise<Place>;
};

export const backends = {
  sqlite: startSqlite,
  postgresql: async () => onServer('postgresql', await TestPostgres.start()),
  mysql: async () => onServer('mysql', await TestMariadb.start()),
  mssql: startMssql,
} satisfies Record<string, () => Promise<RunningBackend>>;

export type BackendName = keyof typeof backends;

async function startSqlite(): Promise<RunningBackend> {
  const folder = tempDir('conformance');
  let made = 0;
  return {
    kind: 'sqlite',
    server: null,
    fresh: async () => {
      const path = folder.at(`${++made}.sqlite`);
      return {
        url: `sqlite:${path}`,
        query: async (sql) => querySqlite(path, sql),
        hold: async (sql) => holdSqlite(path, sql),
      };
    },
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}

function querySqlite(path: string, sql: string): LookRow[] {
  const db = new Database(path);
  try {
    if (/^\s*select\b/i.test(sql)) return db.prepare(sql).all() as LookRow[];
    db.exec(sql);
    return [];
  } finally {
    db.close();
  }
}

function holdSqlite(path: string, sql: string): HeldLock {
  const db = new Database(path);
  db.exec(`begin immediate; ${sql}`);
  return {
    release: async () => {
      db.close();
    },
  };
}

function onServer(kind: EngineKind, server: TestDatabase): RunningBackend {
  return {
    kind,
    server,
    fresh: async () => {
      const name = await server.createDatabase();
      return {
        url: server.url(name),
        query: (sql) => server.query(sql, name),
        hold: (sql) => server.hold(sql, name),
      };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** One that is given can be written to, but not killed. */
async function startMssql(): Promise<RunningBackend> {
  const server = new GivenMssql(mssqlUrl ?? '');
  return {
    kind: 'mssql',
    server: null,
    fresh: async () => {
      const name = await server.createDatabase();
      return {
        url: server.url(name),
        query: (sql) => server.query(sql, name),
        hold: (sql) => server.hold(sql, name),
      };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
