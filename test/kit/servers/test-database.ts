/**
 * What a test asks of a private server, whatever its kind: databases of its own, a look inside, a
 * lock held, SIGKILL and a new start.
 */
import type { DatabaseServer } from './database-server.ts';
import type { FoldRow } from '../rows/fold.ts';

export type LookRow = Record<string, unknown>;
export type LookValue = string | number | null;

/** A transaction left open with its locks, as another program would hold them. */
export type HeldLock = { release(): Promise<void> };

export abstract class TestDatabase implements AsyncDisposable {
  protected readonly server: DatabaseServer;
  #made = 0;

  protected constructor(server: DatabaseServer) {
    this.server = server;
  }

  /** URL of one of its databases, as a beacon takes it. */
  abstract url(database: string): string;
  /**
   * Runs one statement, or several without parameters, on a connection of its own; names are quoted
   * with `"`. Dates come as ISO text, booleans as 0 and 1.
   */
  abstract query(sql: string, database?: string, parameters?: LookValue[]): Promise<LookRow[]>;
  /** Runs a statement in a transaction and leaves it open. */
  abstract hold(sql: string, database: string): Promise<HeldLock>;

  /** Makes an empty database and gives its name. */
  async createDatabase(): Promise<string> {
    const name = `test_${++this.#made}`;
    await this.query(`create database ${name}`);
    return name;
  }

  /** Starts it on the same port and data; does nothing while it runs. */
  start(): Promise<void> {
    return this.server.start();
  }

  /** SIGKILL for it and its children, and waits until all are gone. */
  kill(): Promise<void> {
    return this.server.kill();
  }

  /** The last lines of its log. */
  tail(): string {
    return this.server.tail();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server[Symbol.asyncDispose]();
  }
}

/** The tables of hubs as they are now, for a comparison. */
export async function lookAt(
  server: TestDatabase,
  database: string,
): Promise<Map<string, FoldRow[]>> {
  const tables = new Map<string, FoldRow[]>();
  for (const table of [
    'UVQueueWorkItem',
    'UVQueueWorkItemEvent',
    'UVQueueWorkItemAttempt',
    'UVManifest',
  ]) {
    tables.set(table, (await server.query(`select * from "${table}"`, database)) as FoldRow[]);
  }
  return tables;
}

/** Starts a server for the first time; one that does not come up leaves nothing. */
export async function started<T extends TestDatabase>(database: T): Promise<T> {
  try {
    await database.start();
    return database;
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}
