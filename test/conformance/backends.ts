/** The databases every conformance test runs on, each as the same few things: a fresh database, its URL, and a look inside that is not the product's. */
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { EngineKind } from '../../beacon/engine.ts';
import { TestMariadb } from '../kit/mariadb.ts';
import { TestPostgres } from '../kit/postgres.ts';
import { tempDir } from '../kit/temp-dir.ts';
import type { Held, LookRow, LookValue, TestDatabase } from '../kit/test-database.ts';

/** One database. `query` quotes names with `"` on every backend and gives dates as ISO text, booleans as 0 and 1. */
export type Place = {
  url: string;
  query(sql: string, parameters?: LookValue[]): Promise<LookRow[]>;
  /** A transaction left open with its locks. */
  hold(sql: string): Promise<Held>;
};

/** A backend that runs. `server` is null where the database is a file. */
export type RunningBackend = AsyncDisposable & { kind: EngineKind; server: TestDatabase | null; fresh(): Promise<Place> };

export const backends = {
  sqlite: startSqlite,
  postgresql: async () => onServer('postgresql', await TestPostgres.start()),
  mysql: async () => onServer('mysql', await TestMariadb.start()),
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
      return { url: `sqlite:${path}`, query: async (sql, parameters = []) => querySqlite(path, sql, parameters), hold: async (sql) => holdSqlite(path, sql) };
    },
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
}

function querySqlite(path: string, sql: string, parameters: LookValue[]): LookRow[] {
  const db = new Database(path, { fileMustExist: existsSync(path) });
  try {
    if (parameters.length === 0 && !/^\s*select\b/i.test(sql)) {
      db.exec(sql);
      return [];
    }
    const statement = db.prepare(sql);
    if (statement.reader) return statement.all(...parameters) as LookRow[];
    statement.run(...parameters);
    return [];
  } finally {
    db.close();
  }
}

function holdSqlite(path: string, sql: string): Held {
  const db = new Database(path);
  db.exec(`begin immediate; ${sql}`);
  return { release: async () => { db.close(); } };
}

function onServer(kind: EngineKind, server: TestDatabase): RunningBackend {
  return {
    kind,
    server,
    fresh: async () => {
      const name = await server.createDatabase();
      return { url: server.url(name), query: (sql, parameters) => server.query(sql, name, parameters), hold: (sql) => server.hold(sql, name) };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
