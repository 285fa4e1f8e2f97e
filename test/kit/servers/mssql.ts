/**
 * A SQL Server somebody else runs, for tests that are told of one: no package of Debian brings it,
 * so there is none to start and to kill.
 */
import { Connection, type ConnectionConfiguration, Request } from 'tedious';
import type { HeldLock, LookRow } from './test-database.ts';

/**
 * URL of the server with a login that may make databases, from the environment; null where there is
 * none.
 */
export const mssqlUrl = process.env['MSSQL_TEST_URL'] ?? null;

export class GivenMssql {
  readonly #url: URL;
  readonly #made: string[] = [];

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** URL of one of its databases, as a beacon takes it. */
  url(database: string): string {
    return Object.assign(new URL(this.#url), { pathname: `/${database}` }).href;
  }

  /** Makes an empty database and gives its name. */
  async createDatabase(): Promise<string> {
    const name = `tidemark_test_${process.pid}_${this.#made.length + 1}`;
    await this.query(`create database ${name}`, 'master');
    this.#made.push(name);
    return name;
  }

  /** Runs a batch of statements on a connection of its own; names are quoted with `"`. */
  async query(sql: string, database: string): Promise<LookRow[]> {
    const connection = await this.#connect(database);
    try {
      return await run(connection, sql);
    } finally {
      connection.close();
    }
  }

  async hold(sql: string, database: string): Promise<HeldLock> {
    const connection = await this.#connect(database);
    await run(connection, `begin transaction; ${sql}`);
    return { release: async () => connection.close() };
  }

  /** Drops what was made here. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#made)
      await this.query(
        `alter database ${name} set single_user with rollback immediate; drop database ${name}`,
        'master',
      );
  }

  #connect(database: string): Promise<Connection> {
    const { hostname, port, username, password, searchParams } = this.#url;
    const configuration: ConnectionConfiguration = {
      server: hostname,
      authentication: {
        type: 'default',
        options: { userName: decodeURIComponent(username), password: decodeURIComponent(password) },
      },
      options: {
        port: Number(port || 1433),
        database,
        encrypt: searchParams.get('encrypt') !== 'false',
        trustServerCertificate: searchParams.get('trustServerCertificate') === 'true',
        useColumnNames: false,
        rowCollectionOnRequestCompletion: true,
        useUTC: true,
      },
    };
    return new Promise((resolve, reject) => {
      const connection = new Connection(configuration);
      connection.connect((error) => (error ? reject(error) : resolve(connection)));
    });
  }
}

function run(connection: Connection, sql: string): Promise<LookRow[]> {
  return new Promise((resolve, reject) => {
    connection.execSqlBatch(
      new Request(
        sql,
        (
          error,
          _count,
          rows: { metadata: { colName: string; type: { name: string } }; value: unknown }[][] = [],
        ) => {
          if (error) reject(error);
          else
            resolve(
              rows.map((row) =>
                Object.fromEntries(
                  row.map(({ metadata, value }) => [
                    metadata.colName,
                    plain(value, metadata.type.name),
                  ]),
                ),
              ),
            );
        },
      ),
    );
  });
}

/** Bits as 0 and 1, big integers as numbers, dates as ISO text. */
function plain(value: unknown, type: string): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'boolean') return Number(value);
  return type === 'BigInt' && typeof value === 'string' ? Number(value) : value;
}
