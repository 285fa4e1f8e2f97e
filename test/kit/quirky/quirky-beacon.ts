/**
 * A databeacon with exactly the incumbent's quirks over a real SQLite file: what it answers to each
 * capability, and to its own HTTP routes.
 */
import Database from 'better-sqlite3';
import type { SchemaDescriptor } from '../../../contracts/schema.ts';
import { quirkyColumns, quirkyEnsureSchema } from './quirky-beacon-schema.ts';
import { type QuirkyAnswer, type QuirkyColumn, QuirkyTable } from './quirky-beacon-table.ts';

/**
 * Those that can be chosen; the others are always there. `put-ignores-deleted`: a PUT leaves
 * Deleted alone, else it deletes and then does not find the row. `no-nonce`: presence tells none.
 * `shut`: no path is let through before UpdateProxyConfig. `no-autoconnect`: its connection is down
 * until somebody connects it. `no-name`: the connection's name makes no part of the path.
 */
export type Quirk = 'put-ignores-deleted' | 'no-nonce' | 'shut' | 'no-autoconnect' | 'no-name';
type Settings = Readonly<Record<string, unknown>>;

const noRoute: QuirkyAnswer = {
  status: 404,
  body: { code: 'ResourceNotFound', message: 'no such route' },
};
const headCharsMax = 16_000;
export const quirkyRoute = 'uv-external';
export const quirkyName = 'UV External';

export class QuirkyBeacon {
  readonly #database: Database.Database;
  readonly #quirks: ReadonlySet<Quirk>;
  /** Columns by table as the last look saw them; a table that is dropped stays. */
  readonly #introspected = new Map<string, QuirkyColumn[]>();
  readonly #tables = new Map<string, QuirkyTable>();
  /** In memory only, and open at the end. */
  readonly #allowlist: RegExp[];
  #allowsWrites = true;
  #isLive: boolean;

  constructor(path: string, quirks: Iterable<Quirk> = []) {
    this.#database = new Database(path);
    this.#database.pragma('journal_mode = WAL');
    this.#database.pragma('busy_timeout = 2000');
    this.#quirks = new Set(quirks);
    this.#isLive = !this.has('no-autoconnect');
    this.#allowlist = this.has('shut') ? [] : [/^\/?1\.0\/[a-z0-9][a-z0-9-]{0,63}\//];
  }

  has(quirk: Quirk): boolean {
    return this.#quirks.has(quirk);
  }

  close(): void {
    this.#database.close();
  }

  ensureSchema(settings: Settings): object {
    this.#insist(settings, 'EnsureSchema');
    return quirkyEnsureSchema(
      this.#database,
      String(settings['SchemaName'] ?? 'unnamed'),
      settings['SchemaJSON'] as SchemaDescriptor,
    );
  }

  connect(): void {
    this.#isLive = true;
  }

  introspect(): { TableCount: number; Tables: object[] } {
    this.#insistLive();
    const names = this.#database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
      .pluck()
      .all() as string[];
    for (const name of names) this.#introspected.set(name, quirkyColumns(this.#database, name));
    return { TableCount: names.length, Tables: names.flatMap((name) => this.table(name) ?? []) };
  }

  /** Cached columns of one table, null when nobody introspected it. */
  table(name: string): { TableName: string; ColumnCount: number; Columns: object[] } | null {
    const columns = this.#introspected.get(name);
    return columns === undefined
      ? null
      : {
          TableName: name,
          ColumnCount: columns.length,
          Columns: columns.map(({ name, type, isNotNull, isKey }) => ({
            Name: name,
            NativeType: type,
            MaxLength: null,
            Nullable: !isNotNull,
            IsPrimaryKey: isKey,
            IsAutoIncrement: isKey,
            DefaultValue: null,
            MeadowType: 'String',
          })),
        };
  }

  enableEndpoint(settings: Settings): object {
    this.#insist(settings, 'EnableEndpoint');
    const name = String(settings['TableName']);
    if (this.#tables.has(name)) return { Message: 'Endpoint already enabled', TableName: name };
    this.#insistLive();
    const columns = this.#introspected.get(name);
    if (!columns) throw new Error(`Introspected table not found: ${name}. Run introspect first.`);
    if (columns.length === 0) throw new Error('No columns found for table');
    this.#tables.set(
      name,
      new QuirkyTable(this.#database, name, columns, this.has('put-ignores-deleted')),
    );
    return { TableName: name, EndpointBase: this.#baseOf(name), ColumnCount: columns.length };
  }

  endpoints(): object[] {
    return [...this.#tables.keys()].map((name) => ({
      ConnectionID: 1,
      TableName: name,
      ConnectionType: 'SQLite',
      RouteHash: quirkyRoute,
      EndpointBase: this.#baseOf(name),
    }));
  }

  #baseOf(table: string): string {
    return this.has('no-name') ? `/1.0/${table}` : `/1.0/${quirkyRoute}/${table}`;
  }

  /** The routes stay. */
  disableEndpoint(settings: Settings): object {
    return { TableName: settings['TableName'], Disabled: true };
  }

  updateProxyConfig(settings: Settings): object {
    const given = (settings['PathAllowlist'] ?? []) as string[];
    const fresh = given.filter(
      (source) => !this.#allowlist.some((known) => known.source === new RegExp(source).source),
    );
    this.#allowlist.push(...fresh.map((source) => new RegExp(source)));
    if (typeof settings['AllowWrites'] === 'boolean') this.#allowsWrites = settings['AllowWrites'];
    return {
      Success: true,
      PatternsAdded: fresh.length,
      ActiveConfig: {
        AllowWrites: this.#allowsWrites,
        PathAllowlist: this.#allowlist.map(({ source }) => source),
      },
    };
  }

  /** MeadowProxy.Request. */
  proxy(settings: Settings): object {
    const { Method: method, Path: path, Body: body } = settings;
    if (typeof method !== 'string') throw new Error('MeadowProxy: Method is required.');
    if (!this.#allowsWrites && method !== 'GET')
      throw new Error('MeadowProxy: writes are disabled on this beacon.');
    if (!this.#allowlist.some((pattern) => pattern.test(String(path))))
      throw new Error('MeadowProxy: path is not in the allowlist.');
    // Its own HTTP server is asked by itself, and takes no longer head.
    if (String(path).length > headCharsMax) return { Status: 431, Headers: {}, Body: '' };
    const { status, body: answered } = this.request(
      method,
      String(path),
      typeof body === 'string' ? body : '',
    );
    return {
      Status: status,
      Headers: { 'content-type': 'application/json' },
      Body: JSON.stringify(answered),
    };
  }

  /** A table endpoint. */
  request(method: string, path: string, body: string): QuirkyAnswer {
    const [, version, route, segment = '', ...rest] = path.split('/');
    if (version !== '1.0' || route !== quirkyRoute) return noRoute;
    const exact = this.#tables.get(segment);
    const table =
      exact ?? (segment.endsWith('s') ? this.#tables.get(segment.slice(0, -1)) : undefined);
    if (!table) return noRoute;
    try {
      return table.answer(
        method,
        exact === undefined,
        rest,
        body === '' ? undefined : JSON.parse(body),
      );
    } catch {
      return { status: 400, body: { code: 'InvalidContent', message: 'Invalid JSON' } };
    }
  }

  connections(): {
    IDBeaconConnection: number;
    Name: string;
    Type: string;
    Config: string;
    Status: string;
    Connected: boolean;
  }[] {
    return [
      {
        IDBeaconConnection: 1,
        Name: quirkyName,
        Type: 'SQLite',
        Config: '{}',
        Status: 'Connected',
        Connected: this.#isLive,
      },
    ];
  }

  #insistLive(): void {
    if (!this.#isLive) throw new Error('Connection is not live. Connect first.');
  }

  #insist(settings: Settings, action: string): void {
    if (settings['IDBeaconConnection'] !== 1)
      throw new Error(
        `${action}: connection [${String(settings['IDBeaconConnection'])}] is not live.`,
      );
  }
}
