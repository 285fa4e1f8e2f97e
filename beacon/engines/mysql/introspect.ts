/** Tables, columns and indexes of a MariaDB or MySQL database, from its information schema. */
import type { Scalar } from '../../../contracts/schema.ts';
import type { ColumnFamily, ColumnInfo, IndexInfo, TableInfo } from '../../engine/engine.ts';
import type { Session } from '../server/dialect.ts';

type ColumnRow = {
  t: string;
  name: string;
  type: string;
  chars: number | null;
  nullable: string;
  def: string | null;
  extra: string;
};
type IndexRow = {
  t: string;
  name: string;
  nonUnique: number;
  col: string | null;
  sub: number | null;
};

export async function introspectMysql(
  session: Session,
  tables?: readonly string[],
): Promise<TableInfo[]> {
  if (tables?.length === 0) return [];
  const only = tables ? ` and lower(table_name) in (${tables.map(() => '?').join(', ')})` : '';
  const parameters = tables?.map((name) => name.toLowerCase()) ?? [];
  const columns = (
    await session.run({
      sql: `select table_name as t, column_name as name, column_type as type,
        character_maximum_length as chars, is_nullable as nullable, column_default as def, extra
        from information_schema.columns where table_schema = database()${only}
        order by table_name, ordinal_position`,
      parameters,
    })
  ).rows as ColumnRow[];
  if (columns.length === 0) await insistOnDatabase(session);
  const indexes = (
    await session.run({
      sql: `select table_name as t, index_name as name, non_unique as nonUnique,
        column_name as col, sub_part as sub
        from information_schema.statistics where table_schema = database()${only}
        order by table_name, index_name, seq_in_index`,
      parameters,
    })
  ).rows as IndexRow[];
  // Without a primary key the server reports a unique column as one; only the index named PRIMARY
  // is.
  const primary = new Set(
    indexes.filter((row) => row.name === 'PRIMARY').map((row) => `${row.t}.${row.col}`),
  );
  const found = new Map<string, TableInfo>();
  for (const row of columns) {
    const info = found.get(row.t) ?? { name: row.t, columns: [], indexes: [] };
    found.set(row.t, info);
    info.columns.push(toColumn(row, primary.has(`${row.t}.${row.name}`)));
  }
  for (const row of indexes) addTo(found.get(row.t)?.indexes ?? [], row);
  return [...found.values()];
}

/**
 * A connection survives the deletion of its database and then finds no tables; that must not look
 * like an empty database.
 */
async function insistOnDatabase(session: Session): Promise<void> {
  const { rows } = await session.run({
    sql: 'select 1 as isThere from information_schema.schemata where schema_name = database()',
    parameters: [],
  });
  if (rows.length === 0) throw new Error('the database no longer exists');
}

/** Index parts over an expression or a column prefix have no column name. */
function addTo(indexes: IndexInfo[], { name, nonUnique, col, sub }: IndexRow): void {
  const column = sub === null ? (col ?? '') : '';
  const known = indexes.find((index) => index.name === name);
  if (known) known.columns.push(column);
  else indexes.push({ name, columns: [column], isUnique: nonUnique === 0 });
}

function familyOf(type: string): ColumnFamily {
  if (/^(tinyint\(1\)|bit\(1\))/.test(type)) return 'boolean';
  if (/^(tinyint|smallint|mediumint|int|bigint|year)/.test(type)) return 'integer';
  if (/^(decimal|float|double)/.test(type)) return 'float';
  if (/^(datetime|timestamp|date$)/.test(type)) return 'date';
  return /blob|binary/.test(type) ? 'binary' : 'text';
}

function toColumn(row: ColumnRow, isPrimaryKey: boolean): ColumnInfo {
  const family = familyOf(row.type);
  const isIdentity = row.extra.includes('auto_increment') && isPrimaryKey;
  // MariaDB writes a default as an expression, and `NULL` for none; MySQL writes the bare text.
  const text = row.def === 'NULL' ? null : row.def;
  return {
    name: row.name,
    nativeType: row.type,
    family,
    charsMax: /^(var)?char\(/.test(row.type) ? row.chars : null,
    isNullable: row.nullable === 'YES',
    isPrimaryKey,
    isIdentity,
    defaultText: text,
    defaultValue: text === null || isIdentity ? undefined : valueOf(text, family),
  };
}

function valueOf(text: string, family: ColumnFamily): Scalar | undefined {
  const quoted = /^(?:_utf8mb4\s*)?\\?'(.*?)\\?'$/s.exec(text)?.[1];
  if (quoted !== undefined) return quoted.replaceAll("''", "'").replaceAll('\\\\', '\\');
  if (family === 'text') return text.includes('(') ? undefined : text;
  if (family === 'date') return undefined;
  const bit = /^b'([01])'$/.exec(text)?.[1];
  const number = Number(bit ?? text);
  return Number.isNaN(number) ? undefined : number;
}
