/**
 * A real PostgreSQL for one test file: own data, synced, killed and started again on the same port.
 */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { DatabaseServer, findServer, serverUser } from './database-server.ts';
import {
  type HeldLock,
  type LookRow,
  type LookValue,
  started,
  TestDatabase,
} from './test-database.ts';

/** Debian keeps the server out of PATH, one folder for each version. */
const debianFolder = '/usr/lib/postgresql';
const user = 'tidemark';
const types: Record<string, number> = pg.types.builtins;
const password = 'not-a-secret';
let binary: string | null = null;

function postgresBinary(): string {
  const folders = () => {
    try {
      return readdirSync(debianFolder)
        .toSorted((one, other) => Number(other) - Number(one))
        .map((version) => join(debianFolder, version, 'bin'));
    } catch {
      return [];
    }
  };
  binary ??= findServer({ binary: 'postgres', folders, package: 'postgresql' });
  return binary;
}

/**
 * What a driver gives as objects comes as plain values: booleans 0 and 1, numbers, dates as ISO
 * text in UTC.
 */
const plainTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid: number) => (text: string) => {
    switch (oid) {
      case types.BOOL:
        return text === 't' ? 1 : 0;
      case types.INT2:
      case types.INT4:
      case types.INT8:
      case types.FLOAT8:
      case types.NUMERIC:
        return Number(text);
      case types.TIMESTAMP:
        return new Date(`${text.replace(' ', 'T')}Z`).toISOString();
      case types.TIMESTAMPTZ:
        return new Date(text.replace(/([+-]\d\d)$/, '$1:00')).toISOString();
      default:
        return text;
    }
  },
};

/**
 * Where the server is unlike a developer's own: it sorts by language and lives in an odd time zone,
 * and nothing may depend on either.
 */
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_connections: '100',
  jit: 'off',
  timezone: 'America/St_Johns',
  log_min_messages: 'warning',
};

export class TestPostgres extends TestDatabase {
  private constructor(port: number) {
    const postgres = postgresBinary();
    super(
      new DatabaseServer(port, {
        name: 'postgres',
        user: serverUser('postgres'),
        init: (data) => [
          join(dirname(postgres), 'initdb'),
          '-D',
          data,
          '-U',
          user,
          '-A',
          'trust',
          '-E',
          'UTF8',
          '--locale=C.UTF-8',
          '--locale-provider=icu',
          '--icu-locale=en-US',
          '--no-sync',
          '--no-instructions',
        ],
        run: (data) => [
          postgres,
          '-D',
          data,
          '-p',
          String(port),
          ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
        ],
        ask: () => this.query('select 1'),
      }),
    );
  }

  static async start(): Promise<TestPostgres> {
    return started(new TestPostgres(await freePort()));
  }

  url(database = 'postgres'): string {
    return `postgres://${user}:${password}@127.0.0.1:${this.server.port}/${database}`;
  }

  async query(sql: string, database = 'postgres', parameters?: LookValue[]): Promise<LookRow[]> {
    const client = await this.#connect(database);
    try {
      const result = await client.query<LookRow>(sql, parameters);
      return result.rows;
    } finally {
      await client.end();
    }
  }

  async hold(sql: string, database: string): Promise<HeldLock> {
    const client = await this.#connect(database);
    await client.query(`begin; ${sql}`);
    return { release: () => client.end().catch(() => undefined) };
  }

  async #connect(database: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url(database), types: plainTypes });
    // A connection that is cut says so in its query too.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
}
