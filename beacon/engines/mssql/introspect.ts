/** Tables, columns and indexes of a SQL Server schema, from its catalogue. */
import type { Scalar } from '../../../contracts/schema.ts';
import type { ColumnFamily, ColumnInfo, TableInfo } from '../../engine/engine.ts';
import type { Session } from '../server/dialect.ts';

/** The query over all tables, or over those whose case-folded names are bound in order. */
export function columnsSql(count: number | null): string {
  return `select t.name as [table], c.name, y.name as type, c.max_length as bytes, c.precision, c.scale,
    c.is_nullable as isNullable, c.is_identity as isIdentity, d.definition as [default],
    case when exists (select 1 from sys.indexes i
      join sys.index_columns k on k.object_id = i.object_id and k.index_id = i.index_id
      where i.object_id = t.object_id and i.is_primary_key = 1 and k.column_id = c.column_id) then 1 else 0 end as isKey
    from sys.tables t join sys.columns c on c.object_id = t.object_id
    join sys.types y on y.user_type_id = c.system_type_id
    left join sys.default_constraints d on d.object_id = c.default_object_id
    where t.schema_id = schema_id()${only(count)} order by t.name, c.column_id`;
}

export function indexesSql(count: number | null): string {
  return `select t.name as [table], i.name, i.is_unique as isUnique, c.name as [column] from sys.tables t
    join sys.indexes i on i.object_id = t.object_id and i.has_filter = 0 and i.is_disabled = 0 and i.type in (1, 2)
    join sys.index_columns k on k.object_id = i.object_id and k.index_id = i.index_id
      and k.is_included_column = 0
    join sys.columns c on c.object_id = t.object_id and c.column_id = k.column_id
    where t.schema_id = schema_id()${only(count)} order by t.name, i.index_id, k.key_ordinal`;
}

function only(count: number | null): string {
  return count === null
    ? ''
    : ` and lower(t.name) in (${Array.from({ length: count }, (_, at) => `@${at + 1}`).join(', ')})`;
}

type ColumnRow = {
  table: string;
  name: string;
  type: string;
  bytes: number;
  precision: number;
  scale: number;
  isNullable: number;
  isIdentity: number;
  default: string | null;
  isKey: number;
};
type IndexRow = { table: string; name: string; isUnique: number; column: string };

export async function introspectMssql(
  session: Session,
  tables?: readonly string[],
): Promise<TableInfo[]> {
  if (tables?.length === 0) return [];
  const count = tables?.length ?? null;
  const parameters = tables?.map((name) => name.toLowerCase()) ?? [];
  const columns = (await session.run({ sql: columnsSql(count), parameters })).rows as ColumnRow[];
  const indexes = (await session.run({ sql: indexesSql(count), parameters })).rows as IndexRow[];
  const found = new Map<string, TableInfo>();
  for (const row of columns) {
    const info = found.get(row.table) ?? { name: row.table, columns: [], indexes: [] };
    found.set(row.table, info);
    info.columns.push(toColumn(row));
  }
  for (const { table, name, isUnique, column } of indexes) {
    const list = found.get(table)?.indexes ?? [];
    const known = list.find((index) => index.name === name);
    if (known) known.columns.push(column);
    else list.push({ name, columns: [column], isUnique: isUnique === 1 });
  }
  return [...found.values()];
}

function familyOf({ type, scale }: ColumnRow): ColumnFamily {
  if (/^(tinyint|smallint|int|bigint)$/.test(type)) return 'integer';
  if (/^(decimal|numeric)$/.test(type)) return scale === 0 ? 'integer' : 'float';
  if (/^(float|real|money|smallmoney)$/.test(type)) return 'float';
  if (type === 'bit') return 'boolean';
  if (/^(date|datetime|datetime2|smalldatetime|datetimeoffset)$/.test(type)) return 'date';
  return /binary|image|timestamp/.test(type) ? 'binary' : 'text';
}

function toColumn(row: ColumnRow): ColumnInfo {
  const isText = /^n?(var)?char$/.test(row.type);
  const chars = isText && row.bytes > 0 ? row.bytes / (row.type.startsWith('n') ? 2 : 1) : null;
  const isIdentity = row.isIdentity === 1 && row.isKey === 1;
  return {
    name: row.name,
    nativeType: chars === null ? row.type : `${row.type}(${chars})`,
    family: familyOf(row),
    charsMax: chars,
    isNullable: row.isNullable === 1,
    isPrimaryKey: row.isKey === 1,
    isIdentity,
    defaultText: row.default,
    defaultValue: row.default === null || isIdentity ? undefined : valueOf(row.default),
  };
}

/**
 * Parses a default as the catalogue writes it: `(N'Pending')`, `((0))`; undefined for expressions.
 */
function valueOf(text: string): Scalar | undefined {
  const bare = text.replace(/^\(+/, '').replace(/\)+$/, '');
  const quoted = /^N?'((?:[^']|'')*)'$/.exec(bare)?.[1];
  if (quoted !== undefined) return quoted.replaceAll("''", "'");
  if (/^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(bare)) return Number(bare);
  return bare.toUpperCase() === 'NULL' ? null : undefined;
}
