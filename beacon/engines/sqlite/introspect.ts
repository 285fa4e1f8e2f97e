/** Tables, columns and indexes of a SQLite database. */
import type { Database } from 'better-sqlite3';
import type { Scalar } from '../../../contracts/schema.ts';
import type { ColumnFamily, ColumnInfo, IndexInfo, TableInfo } from '../../engine/engine.ts';

type XInfo = {
  name: string;
  type: string;
  notnull: number;
  dflt_value: string | null;
  pk: number;
  hidden: number;
};

/** Names of the tables, sorted. */
export function tableNames(db: Database): string[] {
  const sql = String.raw`SELECT name FROM sqlite_schema
    WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`;
  return db.prepare(sql).pluck().all() as string[];
}

/** Facts of a table, with its name as the database spells it; null when there is none. */
export function introspectTable(db: Database, asked: string): TableInfo | null {
  const found = db
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE")
    .get(asked) as { name: string; sql: string } | undefined;
  if (!found || found.name.startsWith('sqlite_')) return null;
  const columns = db.prepare('SELECT * FROM pragma_table_xinfo(?)').all(found.name) as XInfo[];
  const hasOneKey = columns.filter((column) => column.pk > 0).length === 1;
  return {
    name: found.name,
    columns: columns
      .filter((column) => column.hidden === 0)
      .map((column) => toColumn(column, hasOneKey)),
    indexes: indexesOf(db, found.name),
  };
}

/** SQLite's rules of type affinity, plus booleans and dates, recognised by their type names. */
function familyOf(type: string): ColumnFamily {
  const declared = type.toUpperCase();
  if (declared.includes('INT')) return 'integer';
  if (/CHAR|CLOB|TEXT/.test(declared)) return 'text';
  if (declared.includes('BOOL')) return 'boolean';
  if (/REAL|FLOA|DOUB|NUM|DEC/.test(declared)) return 'float';
  if (/DATE|TIME/.test(declared)) return 'date';
  return declared === '' || declared.includes('BLOB') ? 'binary' : 'text';
}

function toColumn(column: XInfo, hasOneKey: boolean): ColumnInfo {
  const chars = /^[A-Z ]*CHAR[A-Z ]*\((\d+)\)/i.exec(column.type)?.[1];
  const isPrimaryKey = column.pk > 0;
  return {
    name: column.name,
    nativeType: column.type,
    family: familyOf(column.type),
    charsMax: chars === undefined ? null : Number(chars),
    isNullable: column.notnull === 0 && !isPrimaryKey,
    isPrimaryKey,
    isIdentity: isPrimaryKey && hasOneKey && column.type.toUpperCase() === 'INTEGER',
    defaultText: column.dflt_value,
    defaultValue: valueOf(column.dflt_value),
  };
}

/** Parses a default as the schema writes it; undefined for expressions. */
function valueOf(text: string | null): Scalar | undefined {
  if (text === null) return undefined;
  const quoted = /^'((?:[^']|'')*)'$/.exec(text)?.[1];
  if (quoted !== undefined) return quoted.replaceAll("''", "'");
  if (/^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(text)) return Number(text);
  switch (text.toUpperCase()) {
    case 'TRUE':
      return 1;
    case 'FALSE':
      return 0;
    case 'NULL':
      return null;
    default:
      return undefined;
  }
}

function indexesOf(db: Database, table: string): IndexInfo[] {
  const list = db
    .prepare('SELECT name, "unique" AS isUnique, partial FROM pragma_index_list(?)')
    .all(table) as { name: string; isUnique: number; partial: number }[];
  const columnsOf = db.prepare('SELECT name FROM pragma_index_info(?) ORDER BY seqno').pluck();
  return list
    .filter((index) => index.partial === 0)
    .map((index) => ({
      name: index.name,
      // Index parts over an expression have no column name.
      columns: (columnsOf.all(index.name) as (string | null)[]).map((name) => name ?? ''),
      isUnique: index.isUnique === 1,
    }));
}
