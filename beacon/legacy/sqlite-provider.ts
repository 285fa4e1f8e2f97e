/**
 * Keeps legacy rows in a SQLite file, each write synced before it is answered. A file that was
 * deleted or replaced is created anew, with another StoreID.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { newUuid } from '../../runtime/clock.ts';
import { bounds } from '../bounds.ts';
import { openSqliteFile } from '../engines/sqlite/engine.ts';
import { fileUnavailable, isBroken } from '../engines/sqlite/faults.ts';
import { SqliteHandle } from '../engines/sqlite/handle.ts';
import {
  comparable,
  type Kind,
  kinds,
  type LegacyProvider,
  type RowChange,
  type Wanted,
} from './provider.ts';

const tables = `
  create table if not exists legacy_store (id text not null) strict;
  ${kinds.map(tableOf).join('\n')}
  create index if not exists eventsOfItem on events (${fieldOf('WorkItemHash')});
`;

function tableOf(kind: Kind): string {
  const columns = 'arrival integer primary key, key text not null unique, row text not null';
  return `create table if not exists "${kind}" (${columns}) strict;`;
}

/**
 * The name must be part of the SQL text: SQLite finds an expression index only by the same text.
 */
function fieldOf(name: string): string {
  if (!/^\w+$/.test(name))
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `${JSON.stringify(name)} is not the name of a field`,
    );
  return `json_extract(row, '$.${name}')`;
}

export class SqliteProvider implements LegacyProvider {
  readonly name = 'sqlite';
  readonly #path: string;
  #open: { handle: SqliteHandle; storeId: string } | null = null;

  /** The file is created on first use. */
  constructor(path: string) {
    this.#path = path;
  }

  storeId(): string {
    return this.#use(({ storeId }) => storeId);
  }

  find(kind: Kind, key: string): JsonObject | null {
    return this.#use(({ handle }) => {
      const row = handle.prepare(`select row from "${kind}" where key = ?`).pluck().get(key);
      return typeof row === 'string' ? rowOf(row) : null;
    });
  }

  list(kind: Kind, { terms, order, limit }: Wanted): JsonObject[] {
    const conditions = terms.map(
      ({ field, values }) => `${fieldOf(field)} in (${values.map(() => '?').join()})`,
    );
    const where = conditions.length > 0 ? ` where ${conditions.join(' and ')}` : '';
    const by = [
      ...order.map(({ field, isDescending }) => `${fieldOf(field)}${isDescending ? ' desc' : ''}`),
      'arrival',
    ];
    const sql = `select row from "${kind}"${where} order by ${by.join()} limit ?`;
    const parameters = [...terms.flatMap(({ values }) => values.map(comparable)), limit];
    return this.#use(({ handle }) => {
      const rows: JsonObject[] = [];
      let chars = 0;
      for (const row of handle
        .prepare(sql)
        .pluck()
        .iterate(...parameters) as Iterable<string>) {
        chars += row.length;
        if (chars > bounds.answerBytesMax)
          throw new TidemarkError(
            'TOO_LARGE',
            `the rows have more than ${bounds.answerBytesMax} bytes; ask for fewer`,
          );
        rows.push(rowOf(row));
      }
      return rows;
    });
  }

  write(changes: readonly RowChange[]): void {
    this.#use(({ handle }) => {
      const work = handle.db.transaction(() => {
        for (const { kind, key, row } of changes) {
          if (row)
            handle
              .prepare(
                `insert into "${kind}" (key, row) values (?, ?) on conflict (key) do update set row = excluded.row`,
              )
              .run(key, JSON.stringify(row));
          else handle.prepare(`delete from "${kind}" where key = ?`).run(key);
        }
      });
      work.immediate();
      handle.checkSync();
      // What was written to a file that is no longer at its path is lost.
      if (!handle.isCurrent())
        throw new TidemarkError(
          'UNAVAILABLE',
          `${this.#path}: the file was deleted or replaced, nothing was stored`,
          { retryAfterMs: bounds.databaseRetryMs },
        );
    });
  }

  close(): void {
    this.#open?.handle.close();
    this.#open = null;
  }

  #use<T>(work: (open: { handle: SqliteHandle; storeId: string }) => T): T {
    try {
      return work(this.#current());
    } catch (error) {
      if (isBroken(error)) this.close();
      throw fileUnavailable(this.#path, error);
    }
  }

  #current(): { handle: SqliteHandle; storeId: string } {
    if (this.#open && !this.#open.handle.isCurrent()) this.close();
    if (this.#open) return this.#open;
    const handle = new SqliteHandle(openSqliteFile(this.#path), this.#path);
    try {
      this.#open = { handle, storeId: begin(handle) };
      return this.#open;
    } catch (error) {
      handle.close();
      throw error;
    }
  }
}

/** Creates missing tables, and gives the file its identity. */
function begin(handle: SqliteHandle): string {
  const { db } = handle;
  db.transaction(() => {
    db.exec(tables);
    db.prepare(
      'insert into legacy_store select ? where not exists (select 1 from legacy_store)',
    ).run(newUuid());
  }).immediate();
  handle.checkSync();
  return String(db.prepare('select id from legacy_store').pluck().get());
}

function rowOf(text: string): JsonObject {
  const row: unknown = JSON.parse(text);
  return isJsonObject(row) ? row : {};
}
