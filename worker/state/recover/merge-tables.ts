/**
 * Merges the tables of a source other than its entries: starts, faults, refused messages,
 * assignments and times of delivery always, the rest only into a new store.
 */
import { type Connection, SqliteError } from '../connection.ts';

export type SourceRow = Readonly<Record<string, unknown>>;

/** Rows of a source by table; a table that could not be read is missing, or ends early. */
export type SourceTables = Readonly<Record<string, readonly SourceRow[] | undefined>>;

export function sourceRows(tables: SourceTables, name: string): readonly SourceRow[] {
  return tables[name] ?? [];
}

export function numberOf(row: SourceRow, column: string): number {
  const value = row[column];
  return typeof value === 'number' ? value : 0;
}

export function textOf(row: SourceRow, column: string): string {
  const value = row[column];
  return typeof value === 'string' ? value : '';
}

/** The columns that tell two rows apart, for tables without a natural key. */
const sameness: Readonly<Record<string, readonly string[]>> = {
  refused: ['subject', 'body', 'reason', 'at_ms'],
  fault: ['at_ms', 'class', 'what'],
};

/** Tables that only a new store takes over: they record what was done to that other file. */
const restoredOnly = [
  'operation',
  'operation_attempt',
  'operation_progress',
  'legacy_import',
  'legacy_reject',
  'legacy_mark',
];

/**
 * Rows of meta that are not taken over: the identity is given when the store is made, and who had
 * the source open last is no longer true.
 */
const ownMeta = new Set(['store', 'epoch', 'opened_at', 'owner_pid', 'restoring']);

/**
 * True while nothing was accepted or marked yet: then the source's marks and maintenance records
 * are all there is.
 */
export function isNewStore(db: Connection): boolean {
  return (
    db.prepare('select 1 from known_entry limit 1').get() === undefined &&
    db.prepare('select 1 from mark limit 1').get() === undefined
  );
}

/**
 * Takes the tables over, in the caller's transaction. Rows that do not fit the schema are left out.
 */
export function mergeTables(db: Connection, tables: SourceTables): void {
  const isNew = isNewStore(db);
  put(db, 'boot', sourceRows(tables, 'boot'));
  for (const name of ['refused', 'fault'])
    for (const row of sourceRows(tables, name)) append(db, name, row);
  for (const name of ['assignment', 'tag_choice']) put(db, name, sourceRows(tables, name));
  if (isNew) {
    put(
      db,
      'meta',
      sourceRows(tables, 'meta').filter((row) => !ownMeta.has(textOf(row, 'name'))),
    );
    for (const name of restoredOnly) put(db, name, sourceRows(tables, name));
    for (const row of sourceRows(tables, 'horizon')) takeHorizon(db, row);
  }
  takeDatabases(db, tables, isNew);
}

/** A write that the source has forgotten must not be accepted as new. */
function takeHorizon(db: Connection, row: SourceRow): void {
  db.prepare(
    'update horizon set through_seq = max(through_seq, ?), accepted_ms = max(accepted_ms, ?), ' +
      'guid_ms = max(guid_ms, ?)',
  ).run(numberOf(row, 'through_seq'), numberOf(row, 'accepted_ms'), numberOf(row, 'guid_ms'));
}

/**
 * Only a new store takes marks over. In another store, a database that it does not know is sent
 * everything once it is assigned.
 */
function takeDatabases(db: Connection, tables: SourceTables, isNew: boolean): void {
  const find = db
    .prepare<[string, number], number>(
      'select id from database where beacon = ? and connection = ?',
    )
    .pluck();
  // Marks of schema 1 have no epoch of their own.
  const epoch =
    epochIn(sourceRows(tables, 'meta')) ||
    epochIn(db.prepare<[], SourceRow>('select * from meta').all());
  for (const row of sourceRows(tables, 'database')) {
    const [beacon, connection, theirs] = [
      textOf(row, 'beacon'),
      numberOf(row, 'connection'),
      numberOf(row, 'id'),
    ];
    if (isNew) put(db, 'database', [{ beacon, connection }]);
    const database = find.get(beacon, connection);
    if (database === undefined) continue;
    const of = (name: string) =>
      sourceRows(tables, name).filter((one) => numberOf(one, 'database') === theirs);
    if (isNew)
      put(
        db,
        'mark',
        of('mark').map((mark) => ({
          ...mark,
          database,
          epoch: textOf(mark, 'epoch') || epoch,
          seq: 0,
          guid: null,
          applied: 0,
          present: 0,
          skipped: 0,
          superseded: 0,
          dropped: 0,
        })),
      );
    for (const name of isNew ? ['delivery', 'superseded'] : ['delivery'])
      put(
        db,
        name,
        of(name).map((one) => ({ ...one, database })),
      );
  }
}

function epochIn(meta: readonly SourceRow[]): string {
  const row = meta.find((one) => one['name'] === 'epoch');
  return row ? textOf(row, 'value') : '';
}

function columnsOf(db: Connection, table: string): Set<string> {
  return new Set(
    db.prepare(`select name from pragma_table_info('${table}')`).pluck().all() as string[],
  );
}

function put(db: Connection, table: string, rows: readonly SourceRow[]): void {
  if (rows.length === 0) return;
  const own = columnsOf(db, table);
  const statements = new Map<string, ReturnType<Connection['prepare']>>();
  for (const row of rows) {
    const names = Object.keys(row).filter((name) => own.has(name));
    if (names.length === 0) continue;
    const text = `insert or ignore into ${table} (${names.join()}) values (${names.map(() => '?').join()})`;
    const statement = statements.get(text) ?? db.prepare(text);
    statements.set(text, statement);
    try {
      statement.run(...names.map((name) => row[name]));
    } catch (error) {
      // A value of the wrong type comes from a damaged page; the row is left out.
      if (!(error instanceof SqliteError) || !error.code.startsWith('SQLITE_CONSTRAINT'))
        throw error;
    }
  }
}

function append(db: Connection, table: string, row: SourceRow): void {
  const names = sameness[table] ?? [];
  const isKnown = db
    .prepare(`select 1 from ${table} where ${names.map((name) => `${name} is ?`).join(' and ')}`)
    .get(...names.map((name) => row[name] ?? null));
  if (isKnown !== undefined) return;
  const { id: _, ...rest } = row;
  put(db, table, [rest]);
}
