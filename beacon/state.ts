/** What the beacon remembers over restarts, in its own small SQLite file: connections, endpoints, defaults, proxy configuration, audit. */
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { messageOf, TidemarkError } from '../contracts/errors.ts';
import type { Scalar } from '../contracts/schema.ts';
import { bounds } from './bounds.ts';
import type { DefaultObject } from './engine.ts';
import { openSqliteFile } from './sqlite/engine.ts';

/** A connection as it is kept. `Origin`: given at the start, or made by request. */
export type ConnectionRecord = { IDBeaconConnection: number; Name: string; Url: string; Origin: 'start' | 'request'; Description: string };
export type ProxyConfig = { patterns: string[]; allowWrites: boolean };
export type AuditLine = { at: string; remoteUser: string; capability: string; action: string; connection: number; detail: string };

const schemaVersion = 1;
const schema = `
  CREATE TABLE Connection (IDBeaconConnection INTEGER PRIMARY KEY, Name TEXT NOT NULL UNIQUE, Url TEXT NOT NULL, Origin TEXT NOT NULL, Description TEXT NOT NULL) STRICT;
  CREATE TABLE Endpoint (IDBeaconConnection INTEGER NOT NULL, TableName TEXT NOT NULL, PRIMARY KEY (IDBeaconConnection, TableName)) STRICT;
  CREATE TABLE TableDefault (IDBeaconConnection INTEGER NOT NULL, TableName TEXT NOT NULL, DefaultObject TEXT NOT NULL, PRIMARY KEY (IDBeaconConnection, TableName)) STRICT;
  CREATE TABLE Proxy (ID INTEGER PRIMARY KEY CHECK (ID = 1), PathAllowlist TEXT NOT NULL, AllowWrites INTEGER NOT NULL) STRICT;
  CREATE TABLE Audit (IDAudit INTEGER PRIMARY KEY AUTOINCREMENT, At TEXT NOT NULL, RemoteUser TEXT NOT NULL, Capability TEXT NOT NULL,
    Action TEXT NOT NULL, IDBeaconConnection INTEGER NOT NULL, Detail TEXT NOT NULL) STRICT;
`;

export class BeaconState {
  readonly #db: Database;
  #audited = 0;

  private constructor(db: Database) {
    this.#db = db;
  }

  /** Opens `beacon.db` in the folder. @throws TidemarkError NEWER_SCHEMA, or CONFIG_INVALID when it cannot be opened */
  static open(folder: string): BeaconState {
    const path = join(folder, 'beacon.db');
    try {
      const db = openSqliteFile(path);
      const version = db.pragma('user_version', { simple: true }) as number;
      if (version > schemaVersion) {
        db.close();
        throw new TidemarkError('NEWER_SCHEMA', `${path} was written by a newer version (${version}, this one knows ${schemaVersion})`);
      }
      if (version < schemaVersion) db.transaction(() => db.exec(schema).pragma(`user_version = ${schemaVersion}`)).immediate();
      // The audit is written for every request and must not cost a sync each; what must last is written by #durably.
      db.pragma('synchronous = NORMAL');
      return new BeaconState(db);
    } catch (cause) {
      if (cause instanceof TidemarkError) throw cause;
      throw new TidemarkError('CONFIG_INVALID', `${path}: ${messageOf(cause)}; is the data folder writable?`, { cause });
    }
  }

  #durably(work: () => void): void {
    this.#db.pragma('synchronous = FULL');
    try {
      this.#db.transaction(work).immediate();
    } finally {
      this.#db.pragma('synchronous = NORMAL');
    }
  }

  connections(): ConnectionRecord[] {
    return this.#db.prepare('SELECT * FROM Connection ORDER BY IDBeaconConnection').all() as ConnectionRecord[];
  }

  /** Puts the connections given at the start in place of the earlier ones; another database under a known number begins without endpoints and defaults. */
  replaceStart(records: readonly ConnectionRecord[]): void {
    this.#durably(() => {
      for (const old of this.connections().filter((record) => record.Origin === 'start')) {
        const isSame = records.some((record) => record.IDBeaconConnection === old.IDBeaconConnection && record.Url === old.Url);
        if (!isSame) this.#forget(old.IDBeaconConnection);
      }
      this.#db.prepare("DELETE FROM Connection WHERE Origin = 'start'").run();
      for (const record of records) this.#insert(record);
    });
  }

  addConnection(record: ConnectionRecord): void {
    this.#durably(() => this.#insert(record));
  }

  #insert(record: ConnectionRecord): void {
    this.#db.prepare('INSERT INTO Connection VALUES (@IDBeaconConnection, @Name, @Url, @Origin, @Description)').run(record);
  }

  #forget(id: number): void {
    for (const table of ['Connection', 'Endpoint', 'TableDefault']) this.#db.prepare(`DELETE FROM ${table} WHERE IDBeaconConnection = ?`).run(id);
  }

  /** Names of the tables of a connection that have an endpoint. */
  endpoints(id: number): string[] {
    return this.#db.prepare('SELECT TableName FROM Endpoint WHERE IDBeaconConnection = ? ORDER BY TableName').pluck().all(id) as string[];
  }

  /** Idempotent. */
  setEndpoint(id: number, table: string, isEnabled: boolean): void {
    const sql = isEnabled ? 'INSERT OR IGNORE INTO Endpoint VALUES (?, ?)' : 'DELETE FROM Endpoint WHERE IDBeaconConnection = ? AND TableName = ?';
    this.#durably(() => this.#db.prepare(sql).run(id, table));
  }

  defaults(id: number): Map<string, DefaultObject> {
    const rows = this.#db.prepare('SELECT TableName, DefaultObject FROM TableDefault WHERE IDBeaconConnection = ?').all(id) as { TableName: string; DefaultObject: string }[];
    return new Map(rows.map((row) => [row.TableName, JSON.parse(row.DefaultObject) as Record<string, Scalar>]));
  }

  putDefaults(id: number, defaults: ReadonlyMap<string, DefaultObject>): void {
    this.#durably(() => {
      const put = this.#db.prepare('INSERT OR REPLACE INTO TableDefault VALUES (?, ?, ?)');
      for (const [table, values] of defaults) put.run(id, table, JSON.stringify(values));
    });
  }

  /** Null until it was changed once. */
  proxyConfig(): ProxyConfig | null {
    const row = this.#db.prepare('SELECT PathAllowlist, AllowWrites FROM Proxy').get() as { PathAllowlist: string; AllowWrites: number } | undefined;
    return row ? { patterns: JSON.parse(row.PathAllowlist) as string[], allowWrites: row.AllowWrites === 1 } : null;
  }

  putProxyConfig(config: ProxyConfig): void {
    this.#durably(() => this.#db.prepare('INSERT OR REPLACE INTO Proxy VALUES (1, ?, ?)').run(JSON.stringify(config.patterns), config.allowWrites ? 1 : 0));
  }

  /** One line of the audit; the oldest go when there are too many. */
  audit(line: AuditLine): void {
    this.#db.prepare('INSERT INTO Audit (At, RemoteUser, Capability, Action, IDBeaconConnection, Detail) VALUES (@at, @remoteUser, @capability, @action, @connection, @detail)')
      .run({ ...line, detail: line.detail.slice(0, bounds.auditDetailCharsMax) });
    if (this.#audited++ % bounds.auditTrimEvery === 0) {
      this.#db.prepare('DELETE FROM Audit WHERE IDAudit <= (SELECT max(IDAudit) FROM Audit) - ?').run(bounds.auditRowsMax);
    }
  }

  /** The newest lines first. */
  auditLines(limit: number): AuditLine[] {
    return this.#db.prepare(
      'SELECT At AS at, RemoteUser AS remoteUser, Capability AS capability, Action AS action, IDBeaconConnection AS connection, Detail AS detail FROM Audit ORDER BY IDAudit DESC LIMIT ?',
    ).all(limit) as AuditLine[];
  }

  close(): void {
    this.#db.close();
  }
}
