/** Which engine speaks to a database: the one place that knows all of them. */
import type { DatabaseUrl } from './config.ts';
import type { Engine } from '../engine/engine.ts';
import { mssqlDialect } from '../engines/mssql/dialect.ts';
import { mysqlDialect } from '../engines/mysql/dialect.ts';
import { postgresDialect } from '../engines/postgres/dialect.ts';
import { ServerEngine } from '../engines/server/engine.ts';
import { SqliteEngine } from '../engines/sqlite/engine.ts';

const dialects = { postgresql: postgresDialect, mysql: mysqlDialect, mssql: mssqlDialect } as const;

/**
 * An engine over a database; nothing is connected before it is used. `onChange` is called when the
 * database was found gone or exchanged, `assertMayOpen` before each opening of a file.
 */
export function openEngine(
  database: DatabaseUrl,
  onChange: () => void = () => undefined,
  assertMayOpen?: (path: string) => void,
): Engine {
  if (database.kind === 'sqlite') return new SqliteEngine(database.path, onChange, assertMayOpen);
  return new ServerEngine(dialects[database.kind](database.url), database.label, onChange);
}
