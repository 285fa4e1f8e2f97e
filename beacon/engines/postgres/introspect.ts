/** Tables, columns and indexes of a PostgreSQL schema, from its catalogue. */
import type { Scalar } from '../../../contracts/schema.ts';
import type { ColumnFamily, ColumnInfo, IndexInfo, TableInfo } from '../../engine/engine.ts';
import type { Session } from '../server/dialect.ts';

const columnsSql = `
  select c.relname as "table", a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    a.attnotnull as "notNull", a.attidentity <> '' as "isIdentity",
    pg_get_expr(d.adbin, d.adrelid) as "default",
    exists (select 1 from pg_index i
      where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey::int2[])) as "isKey"
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where n.nspname = current_schema() and c.relkind in ('r', 'p')
    and ($1::text[] is null or lower(c.relname) = any ($1::text[]))
  order by c.relname, a.attnum`;

// Index parts over an expression have no column name; included columns are not part of the key.
const indexesSql = `
  select c.relname as "table", x.relname as name, i.indisunique as "isUnique",
    coalesce((select string_agg(coalesce(a.attname::text, ''), chr(1) order by k.at)
      from unnest(i.indkey::int2[]) with ordinality k (attnum, at)
      left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
      where k.at <= i.indnkeyatts), '') as columns
  from pg_index i join pg_class c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = current_schema() and i.indpred is null and i.indisvalid
    and ($1::text[] is null or lower(c.relname) = any ($1::text[]))
  order by c.relname, x.relname`;

type ColumnRow = {
  table: string;
  name: string;
  type: string;
  notNull: number;
  isIdentity: number;
  default: string | null;
  isKey: number;
};
type IndexRow = { table: string; name: string; isUnique: number; columns: string };

export async function introspectPostgres(
  session: Session,
  tables?: readonly string[],
): Promise<TableInfo[]> {
  const parameters = [tables?.map((name) => name.toLowerCase()) ?? null];
  const columns = (await session.run({ sql: columnsSql, parameters })).rows as ColumnRow[];
  const indexes = (await session.run({ sql: indexesSql, parameters })).rows as IndexRow[];
  const found = new Map<string, TableInfo>();
  for (const row of columns) {
    const info = found.get(row.table) ?? { name: row.table, columns: [], indexes: [] };
    found.set(row.table, info);
    info.columns.push(toColumn(row));
  }
  for (const row of indexes) found.get(row.table)?.indexes.push(toIndex(row));
  return [...found.values()];
}

function toIndex(row: IndexRow): IndexInfo {
  return { name: row.name, columns: row.columns.split('\u0001'), isUnique: row.isUnique === 1 };
}

function familyOf(type: string): ColumnFamily {
  if (/^(smallint|integer|bigint)/.test(type)) return 'integer';
  if (/^(numeric|real|double precision|money)/.test(type)) return 'float';
  if (type === 'boolean') return 'boolean';
  if (/^(timestamp|date)/.test(type)) return 'date';
  return type === 'bytea' ? 'binary' : 'text';
}

function toColumn(row: ColumnRow): ColumnInfo {
  const chars = /^character(?: varying)?\((\d+)\)/.exec(row.type)?.[1];
  const isNumbered = row.isIdentity === 1 || (row.default?.startsWith('nextval(') ?? false);
  return {
    name: row.name,
    nativeType: row.type,
    family: familyOf(row.type),
    charsMax: chars === undefined ? null : Number(chars),
    isNullable: row.notNull === 0,
    isPrimaryKey: row.isKey === 1,
    isIdentity: isNumbered && row.isKey === 1,
    defaultText: row.default,
    defaultValue: isNumbered ? undefined : valueOf(row.default),
  };
}

/**
 * Parses a default as the catalogue writes it (`'Pending'::character varying`); undefined for
 * expressions.
 */
function valueOf(text: string | null): Scalar | undefined {
  if (text === null) return undefined;
  const bare = text.replace(/::[a-z ]+(\(\d+(,\d+)?\))?$/, '').replace(/^\((.*)\)$/, '$1');
  const quoted = /^'((?:[^']|'')*)'$/.exec(bare)?.[1];
  if (quoted !== undefined)
    return /::(smallint|integer|bigint|numeric|double precision)/.test(text)
      ? Number(quoted)
      : quoted.replaceAll("''", "'");
  if (/^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(bare)) return Number(bare);
  if (bare === 'true' || bare === 'false') return bare === 'true' ? 1 : 0;
  return bare === 'NULL' ? null : undefined;
}
