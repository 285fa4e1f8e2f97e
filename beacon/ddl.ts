/** Statements that make tables, columns and indexes: the type map and the quoting of each engine live here and nowhere else. */
import { TidemarkError } from '../contracts/errors.ts';
import { type ColumnDescriptor, type IndexDescriptor, isNullableColumn, type Scalar, type TableDescriptor } from '../contracts/schema.ts';
import { type EngineKind, storeTable } from './engine.ts';

type DdlDialect = {
  quote: (name: string) => string;
  /** Type and constraints of the column that numbers the rows. */
  identity: string;
  typeOf: (column: ColumnDescriptor) => string;
};

/** Characters of a sized string; null for text without a bound. */
export function charsMaxOf(column: ColumnDescriptor): number | null {
  if (column.Type !== 'String') return null;
  const size = Number(column.Size ?? 'Default');
  return Number.isSafeInteger(size) && size > 0 ? size : null;
}

const sqlite: DdlDialect = {
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  identity: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  typeOf(column) {
    const chars = charsMaxOf(column);
    switch (column.Type) {
      case 'Integer':
      case 'BigInteger':
        return 'INTEGER';
      case 'Float':
        return 'REAL';
      case 'Boolean':
      case 'Deleted':
        return 'BOOLEAN';
      default:
        // Dates are ISO text: a type named after dates would give the column numeric affinity.
        return chars === null ? 'TEXT' : `VARCHAR(${chars})`;
    }
  },
};

const dialects: Partial<Record<EngineKind, DdlDialect>> = { sqlite };

function dialectOf(kind: EngineKind): DdlDialect {
  const dialect = dialects[kind];
  if (!dialect) throw new TidemarkError('INTERNAL', `no statements for ${kind} in this version`);
  return dialect;
}

function literal(value: Scalar): string {
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'boolean') return value ? '1' : '0';
  return value === null ? 'NULL' : String(value);
}

/** The default a column is declared with: the descriptor's, else the empty value where null cannot be. */
function declaredDefault(column: ColumnDescriptor, table: TableDescriptor): Scalar {
  const given = table.DefaultObject?.[column.Column] ?? null;
  if (given !== null || isNullableColumn(column)) return given;
  return column.Type === 'String' ? '' : 0;
}

function columnClause(column: ColumnDescriptor, table: TableDescriptor, dialect: DdlDialect): string {
  const name = dialect.quote(column.Column);
  if (column.Type === 'AutoIdentity') return `${name} ${dialect.identity}`;
  const value = declaredDefault(column, table);
  const nullability = isNullableColumn(column) ? '' : ' NOT NULL';
  return `${name} ${dialect.typeOf(column)}${nullability}${value === null ? '' : ` DEFAULT ${literal(value)}`}`;
}

export function createTableStatement(kind: EngineKind, table: TableDescriptor): string {
  const dialect = dialectOf(kind);
  const columns = table.Schema.map((column) => columnClause(column, table, dialect));
  return `CREATE TABLE ${dialect.quote(table.Scope)} (${columns.join(', ')})`;
}

export function addColumnStatement(kind: EngineKind, table: TableDescriptor, column: ColumnDescriptor): string {
  const dialect = dialectOf(kind);
  return `ALTER TABLE ${dialect.quote(table.Scope)} ADD COLUMN ${columnClause(column, table, dialect)}`;
}

export function createIndexStatement(kind: EngineKind, table: TableDescriptor, index: IndexDescriptor): string {
  const { quote } = dialectOf(kind);
  const columns = index.Columns.map(quote).join(', ');
  return `CREATE ${index.Unique ? 'UNIQUE ' : ''}INDEX ${quote(index.Name)} ON ${quote(table.Scope)} (${columns})`;
}

/** Gives the database its identity: one table with one row. */
export function createStoreStatements(kind: EngineKind, storeId: string): string[] {
  const { quote } = dialectOf(kind);
  const table = quote(storeTable);
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (${quote('StoreID')} VARCHAR(36) NOT NULL)`,
    `INSERT INTO ${table} (${quote('StoreID')}) VALUES (${literal(storeId)})`,
  ];
}
