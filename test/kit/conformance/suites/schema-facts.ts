/** What the tests of the schema manager compare: an empty report, and types by their family. */
export const nothing = {
  TablesCreated: [],
  ColumnsAdded: [],
  IndicesCreated: [],
  MigrationStatements: [],
  SkippedDestructive: [],
  Notes: [],
};

/** Dates are text in SQLite. */
export function family(is: string): string {
  return is === 'date' ? 'text' : is;
}

export function familyOf(type: string): string {
  const families: Record<string, string> = {
    AutoIdentity: 'integer',
    Integer: 'integer',
    BigInteger: 'integer',
    Float: 'float',
    Boolean: 'boolean',
    Deleted: 'boolean',
  };
  return families[type] ?? 'text';
}

export function plain(value: unknown): unknown {
  return typeof value === 'boolean' ? Number(value) : value;
}
