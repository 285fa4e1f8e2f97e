/**
 * The state of the beacon that survives restarts, in a small SQLite file of its own: connections,
 * endpoints, defaults, proxy configuration, audit.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Scalar } from '../../contracts/schema.ts';
import { bounds } from '../bounds.ts';
import type { DefaultObject } from '../engine/engine.ts';
import { openSqliteFile } from '../engines/sqlite/engine.ts';
import { databaseFileIdentity } from '../engines/sqlite/handle.ts';

/** A stored connection. `Origin`: given at the start, or made by request. */
export type ConnectionRecord = {
  IDBeaconConnection: number;
  Name: string;
  Url: string;
  Origin: 'start' | 'request';
  Description: string;
};
export type ProxyConfig = {
  patterns: string[];
  allowWrites: boolean;
  bodyBytesMax: number;
  requestMs: number;
};
/**
 * One request: who made it, and how it ended. `outcome` is `ok`, an HTTP status or the code of the
 * refusal; `count` is the number of rows or mutations.
 */
export type AuditLine = {
  at: string;
  remoteUser: string;
  capability: string;
  action: string;
  connection: number;
  table: string;
  outcome: string;
  count: number;
  detail: string;
};

/** Step n migrates a file of version n to n + 1; released steps never change. */
const steps = [
  `
  CREATE TABLE Connection (IDBeaconConnection INTEGER PRIMARY KEY, Name TEXT NOT NULL UNIQUE, Url TEXT NOT NULL,
    Origin TEXT NOT NULL, Description TEXT NOT NULL) STRICT;
  CREATE TABLE Endpoint (IDBeaconConnection INTEGER NOT NULL, TableName TEXT NOT NULL,
    PRIMARY KEY (IDBeaconConnection, TableName)) STRICT;
  CREATE TABLE TableDefault (IDBeaconConnection INTEGER NOT NULL, TableName TEXT NOT NULL, DefaultObject TEXT NOT NULL,
    PRIMARY KEY (IDBeaconConnection, TableName)) STRICT;
  CREATE TABLE Proxy (ID INTEGER PRIMARY KEY CHECK (ID = 1), PathAllowlist TEXT NOT NULL,
    AllowWrites INTEGER NOT NULL) STRICT;
  CREATE TABLE Audit (IDAudit INTEGER PRIMARY KEY AUTOINCREMENT, At TEXT NOT NULL, RemoteUser TEXT NOT NULL,
    Capability TEXT NOT NULL, Action TEXT NOT NULL, IDBeaconConnection INTEGER NOT NULL, Detail TEXT NOT NULL) STRICT;
  `,
  `
  ALTER TABLE Proxy ADD COLUMN BodyBytesMax INTEGER NOT NULL DEFAULT ${limits.bodyBytesMax};
  ALTER TABLE Proxy ADD COLUMN RequestMs INTEGER NOT NULL DEFAULT ${limits.bootstrapStepMs};
  ALTER TABLE Audit ADD COLUMN TableName TEXT NOT NULL DEFAULT '';
  ALTER TABLE Audit ADD COLUMN Outcome TEXT NOT NULL DEFAULT 'ok';
  ALTER TABLE Audit ADD COLUMN Count INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX Audit_At ON Audit (At);
  CREATE INDEX Audit_User ON Audit (RemoteUser, IDAudit);
  `,
];

function stateFile(folder: string): string {
  return join(folder, 'beacon.db');
}

export class BeaconState {
  readonly #db: Database.Database;
  readonly #path: string;

  private constructor(db: Database.Database, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /**
   * Opens `beacon.db` in the folder.
   * @throws TidemarkError NEWER_SCHEMA, or CONFIG_INVALID when it cannot be opened
   */
  static open(folder: string): BeaconState {
    const path = stateFile(folder);
    try {
      const db = openSqliteFile(path);
      const version = db.pragma('user_version', { simple: true }) as number;
      if (version > steps.length) {
        db.close();
        throw new TidemarkError(
          'NEWER_SCHEMA',
          `${path} was written by a newer version (${version}, this one knows ${steps.length})`,
        );
      }
      for (const [at, step] of steps.entries())
        if (version <= at)
          db.transaction(() => db.exec(step).pragma(`user_version = ${at + 1}`)).immediate();
      // The audit is written often and must not cost a sync each time; data that must last is
      // written by #durably.
      db.pragma('synchronous = NORMAL');
      return new BeaconState(db, path);
    } catch (cause) {
      if (cause instanceof TidemarkError) throw cause;
      throw new TidemarkError(
        'CONFIG_INVALID',
        `${path}: ${messageOf(cause)}; is the data folder writable?`,
        { cause },
      );
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
    return this.#db
      .prepare('SELECT * FROM Connection ORDER BY IDBeaconConnection')
      .all() as ConnectionRecord[];
  }

  /**
   * Replaces the connections given at earlier starts. If a number has another database now, its
   * endpoints and defaults are removed.
   */
  replaceStart(records: readonly ConnectionRecord[]): void {
    this.#durably(() => {
      for (const old of this.connections().filter((record) => record.Origin === 'start')) {
        const isSame = records.some(
          (record) =>
            record.IDBeaconConnection === old.IDBeaconConnection && record.Url === old.Url,
        );
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
    this.#db
      .prepare(
        'INSERT INTO Connection VALUES (@IDBeaconConnection, @Name, @Url, @Origin, @Description)',
      )
      .run(record);
  }

  #forget(id: number): void {
    for (const table of ['Connection', 'Endpoint', 'TableDefault'])
      this.#db.prepare(`DELETE FROM ${table} WHERE IDBeaconConnection = ?`).run(id);
  }

  /** Tables of a connection with an enabled endpoint. */
  endpoints(id: number): string[] {
    return this.#db
      .prepare('SELECT TableName FROM Endpoint WHERE IDBeaconConnection = ? ORDER BY TableName')
      .pluck()
      .all(id) as string[];
  }

  /** Idempotent. */
  setEndpoint(id: number, table: string, isEnabled: boolean): void {
    const sql = isEnabled
      ? 'INSERT OR IGNORE INTO Endpoint VALUES (?, ?)'
      : 'DELETE FROM Endpoint WHERE IDBeaconConnection = ? AND TableName = ?';
    this.#durably(() => this.#db.prepare(sql).run(id, table));
  }

  defaults(id: number): Map<string, DefaultObject> {
    const rows = this.#db
      .prepare('SELECT TableName, DefaultObject FROM TableDefault WHERE IDBeaconConnection = ?')
      .all(id) as { TableName: string; DefaultObject: string }[];
    return new Map(
      rows.map((row) => [row.TableName, JSON.parse(row.DefaultObject) as Record<string, Scalar>]),
    );
  }

  putDefaults(id: number, defaults: ReadonlyMap<string, DefaultObject>): void {
    this.#durably(() => {
      const put = this.#db.prepare('INSERT OR REPLACE INTO TableDefault VALUES (?, ?, ?)');
      for (const [table, values] of defaults) put.run(id, table, JSON.stringify(values));
    });
  }

  /** Null until it is changed for the first time. */
  proxyConfig(): ProxyConfig | null {
    type Row = {
      PathAllowlist: string;
      AllowWrites: number;
      BodyBytesMax: number;
      RequestMs: number;
    };
    const row = this.#db.prepare('SELECT * FROM Proxy').get() as Row | undefined;
    if (!row) return null;
    return {
      patterns: JSON.parse(row.PathAllowlist) as string[],
      allowWrites: row.AllowWrites === 1,
      bodyBytesMax: row.BodyBytesMax,
      requestMs: row.RequestMs,
    };
  }

  putProxyConfig({ patterns, allowWrites, bodyBytesMax, requestMs }: ProxyConfig): void {
    this.#durably(() =>
      this.#db
        .prepare('INSERT OR REPLACE INTO Proxy VALUES (1, ?, ?, ?, ?)')
        .run(JSON.stringify(patterns), allowWrites ? 1 : 0, bodyBytesMax, requestMs),
    );
  }

  /** Whether the path, under whatever name, is this file or one next to it. */
  owns(path: string): boolean {
    const asked = databaseFileIdentity(path);
    return (
      asked !== '' &&
      ['', '-wal', '-shm'].some((suffix) => databaseFileIdentity(this.#path + suffix) === asked)
    );
  }

  addAudit(lines: readonly AuditLine[]): void {
    const insert = this.#db.prepare(`
      INSERT INTO Audit (At, RemoteUser, Capability, Action,
        IDBeaconConnection, TableName, Outcome, Count, Detail)
      VALUES (@at, @remoteUser, @capability, @action,
        @connection, @table, @outcome, @count, @detail)`);
    this.#db
      .transaction(() => {
        for (const line of lines) insert.run(line);
      })
      .immediate();
  }

  /** Deletes lines above the bound or from before `before`, in steps. */
  trimAudit(before: string): void {
    this.#db.prepare('DELETE FROM Audit WHERE At < ? LIMIT ?').run(before, bounds.auditTrimRows);
    this.#db
      .prepare('DELETE FROM Audit WHERE IDAudit <= (SELECT max(IDAudit) FROM Audit) - ? LIMIT ?')
      .run(bounds.auditRowsMax, bounds.auditTrimRows);
  }

  close(): void {
    this.#db.close();
  }
}

/**
 * Lines from the audit of the beacon with that folder, newest first; also while it is running.
 * @throws TidemarkError NOT_THERE without a state, CONFIG_INVALID when it cannot be read
 */
export function readAudit(
  folder: string,
  { user, limit }: { user?: string; limit: number },
): AuditLine[] {
  const path = stateFile(folder);
  if (!existsSync(path))
    throw new TidemarkError(
      'NOT_THERE',
      `there is no ${path}; name the data directory of the beacon with --data, or the beacon with --id`,
    );
  try {
    const db = new Database(path, { readonly: true, timeout: bounds.busyMs });
    try {
      return db
        .prepare(`
          SELECT At AS at, RemoteUser AS remoteUser, Capability AS capability, Action AS action,
            IDBeaconConnection AS connection, TableName AS "table",
            Outcome AS outcome, Count AS count, Detail AS detail
          FROM Audit WHERE @user IS NULL OR RemoteUser = @user ORDER BY IDAudit DESC LIMIT @limit`)
        .all({ user: user ?? null, limit }) as AuditLine[];
    } finally {
      db.close();
    }
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `${path}: ${messageOf(cause)}`, { cause });
  }
}
