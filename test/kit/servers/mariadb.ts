/**
 * A real MariaDB for one test file: own data, synced, killed and started again on the same port.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { DatabaseServer, findServer, serverUser } from './database-server.ts';
import {
  type HeldLock,
  type LookRow,
  type LookValue,
  started,
  TestDatabase,
} from './test-database.ts';

const user = 'tidemark';
const password = 'not-a-secret';
const root = { user: 'root', password: '' };
let binary: string | null = null;

function mariadbBinary(): string {
  binary ??= findServer({
    binary: 'mariadbd',
    folders: () => ['/usr/sbin', '/usr/local/sbin', '/usr/local/libexec'],
    package: 'mariadb-server',
  });
  return binary;
}

function installScript(): string {
  const beside = dirname(mariadbBinary());
  const found = [
    join(beside, 'mariadb-install-db'),
    join(dirname(beside), 'bin', 'mariadb-install-db'),
  ].find((path) => existsSync(path));
  return found ?? 'mariadb-install-db';
}

/**
 * As operators are told to set it, in an odd time zone that nothing may depend on. The sql_mode is
 * the default, which is strict.
 */
const settings = {
  'bind-address': '127.0.0.1',
  'max-allowed-packet': '256M',
  'innodb-flush-log-at-trx-commit': '1',
  'character-set-server': 'utf8mb4',
  'innodb-buffer-pool-size': '64M',
  'default-time-zone': '-03:30',
};

export class TestMariadb extends TestDatabase {
  private constructor(port: number) {
    const mariadbd = mariadbBinary();
    super(
      new DatabaseServer(port, {
        name: 'mariadb',
        user: serverUser('mysql'),
        init: (data) => [
          installScript(),
          '--no-defaults',
          `--datadir=${data}`,
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
          '--skip-name-resolve',
        ],
        run: (data) => [
          mariadbd,
          '--no-defaults',
          `--datadir=${data}`,
          `--port=${port}`,
          `--socket=${join(data, 'socket')}`,
          '--skip-name-resolve',
          ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
        ],
        ask: () => this.#connect('mysql', root).then((connection) => connection.destroy()),
      }),
    );
  }

  static async start(): Promise<TestMariadb> {
    const mariadb = await started(new TestMariadb(await freePort()));
    const connection = await mariadb.#connect('mysql', root);
    await connection.query(
      `create user ${user}@'%' identified by '${password}'; grant all on *.* to ${user}@'%'`,
    );
    connection.destroy();
    return mariadb;
  }

  url(database = 'mysql'): string {
    return `mysql://${user}:${password}@127.0.0.1:${this.server.port}/${database}`;
  }

  async query(sql: string, database = 'mysql', parameters?: LookValue[]): Promise<LookRow[]> {
    const connection = await this.#connect(database);
    try {
      const [rows] = await connection.query<RowDataPacket[]>(sql, parameters);
      return Array.isArray(rows) ? rows.map(plainRow) : [];
    } finally {
      connection.destroy();
    }
  }

  async hold(sql: string, database: string): Promise<HeldLock> {
    const connection = await this.#connect(database);
    await connection.query(`start transaction; ${sql}`);
    return { release: async () => connection.destroy() };
  }

  async #connect(
    database: string,
    login: { user: string; password: string } = { user, password },
  ): Promise<Connection> {
    const connection = await createConnection({
      host: '127.0.0.1',
      port: this.server.port,
      database,
      ...login,
      dateStrings: true,
      supportBigNumbers: true,
      decimalNumbers: true,
      multipleStatements: true,
      charset: 'utf8mb4',
    });
    // A connection that is cut says so in its query too.
    connection.on('error', () => undefined);
    await connection.query("set session sql_mode = concat(@@sql_mode, ',ANSI_QUOTES')");
    return connection;
  }
}

/** Dates as ISO text in UTC, in which they are stored. */
function plainRow(row: LookRow): LookRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'string' && /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/.test(value)
        ? `${value.replace(' ', 'T')}Z`
        : value,
    ]),
  );
}
