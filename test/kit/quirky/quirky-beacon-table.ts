/**
 * The incumbent's table endpoints over a real SQLite file, with the statuses, texts and gaps its
 * clients meet.
 */
import type Database from 'better-sqlite3';
import { type FilterSql, quirkyFilter } from './quirky-beacon-filter.ts';

export type QuirkyAnswer = { status: number; body: unknown };
export type QuirkyColumn = { name: string; type: string; isNotNull: boolean; isKey: boolean };
type JsonRow = Record<string, unknown>;

const capMax = 250;
const missing: QuirkyAnswer = { status: 404, body: { Error: 'Record not Found', StatusCode: 404 } };
const noRoute: QuirkyAnswer = {
  status: 404,
  body: { code: 'ResourceNotFound', message: 'no such route' },
};
const everything: FilterSql = { where: '', params: [], orderBy: '', namesDeleted: false };

export class QuirkyTable {
  readonly #database: Database.Database;
  readonly #name: string;
  /**
   * As they were when the endpoint was enabled: later columns have neither default nor type here.
   */
  readonly #columns: readonly QuirkyColumn[];
  readonly #ignoresDeleted: boolean;

  constructor(
    database: Database.Database,
    name: string,
    columns: readonly QuirkyColumn[],
    ignoresDeleted: boolean,
  ) {
    this.#database = database;
    this.#name = name;
    this.#columns = columns;
    this.#ignoresDeleted = ignoresDeleted;
  }

  get #id(): string {
    return this.#columns.find((column) => column.isKey)?.name ?? '';
  }

  /** @param isPlural whether the path said `<Table>s` */
  answer(method: string, isPlural: boolean, rest: readonly string[], body: unknown): QuirkyAnswer {
    try {
      return this.#route(method, isPlural, rest, (body ?? {}) as JsonRow);
    } catch (error) {
      // Every error of the driver is a 500, whatever it means.
      const { message, code } = error as { message: string; code?: string };
      return {
        status: 500,
        body: {
          Error: message,
          Code: code ? 'ERR_SQLITE_ERROR' : 'ERR_INVALID_ARG_TYPE',
          Stack: String(error),
        },
      };
    }
  }

  #route(method: string, isPlural: boolean, rest: readonly string[], body: JsonRow): QuirkyAnswer {
    const [first = '', second = ''] = rest;
    if (isPlural) return method === 'GET' ? this.#list(rest) : noRoute;
    if (method === 'POST' && rest.length === 0) return this.#create(body);
    if (method === 'PUT') return this.#update(first === '' ? body : { ...body, [this.#id]: first });
    if (method === 'DELETE') return this.#setDeleted(first || body[this.#id], 1);
    if (method === 'GET' && first === 'Undelete') return this.#setDeleted(second, 0);
    if (method === 'GET' && rest.length === 1) return this.#one(first);
    return noRoute;
  }

  #list(rest: readonly string[]): QuirkyAnswer {
    const isCount = rest[0] === 'Count';
    const parts = isCount ? rest.slice(1) : rest;
    const isFiltered = parts[0] === 'FilteredTo';
    const filter = isFiltered ? quirkyFilter(parts[1] ?? '') : everything;
    const [begin = '0', cap = String(capMax)] = parts.slice(isFiltered ? 2 : 0);
    const where =
      [filter.where && `(${filter.where})`, filter.namesDeleted ? '' : 't."Deleted" = 0']
        .filter((one) => one !== '')
        .join(' AND ') || '1 = 1';
    if (isCount)
      return {
        status: 200,
        body: {
          Count: this.#database
            .prepare(`SELECT count(*) AS n FROM "${this.#name}" t WHERE ${where}`)
            .pluck()
            .get(...filter.params),
        },
      };
    const rows = this.#database
      .prepare(
        `SELECT t.* FROM "${this.#name}" t WHERE ${where} ORDER BY ` +
          `${filter.orderBy || `t."${this.#id}"`} LIMIT ? OFFSET ?`,
      )
      .all(...filter.params, Math.min(Number(cap), capMax), Number(begin));
    return { status: 200, body: rows };
  }

  #one(id: unknown): QuirkyAnswer {
    const row = this.#database
      .prepare(`SELECT * FROM "${this.#name}" WHERE "${this.#id}" = ? AND "Deleted" = 0`)
      .get(id);
    return row ? { status: 200, body: row } : missing;
  }

  #create(given: JsonRow): QuirkyAnswer {
    const row: JsonRow = {};
    // The descriptor's DefaultObject is not known here: what is left out is empty or 0.
    for (const column of this.#columns)
      if (column.isNotNull && !column.isKey) row[column.name] = column.type === 'TEXT' ? '' : 0;
    Object.assign(row, given);
    delete row[this.#id];
    for (const name of ['CreateDate', 'UpdateDate'])
      if (this.#columns.some((column) => column.name === name)) row[name] = sqlNow();
    const names = Object.keys(row);
    const made = this.#database
      .prepare(
        `INSERT INTO "${this.#name}" (${names.map((name) => `"${name}"`).join(', ')}) ` +
          `VALUES (${names.map(() => '?').join(', ')})`,
      )
      .run(...names.map((name, at) => bindable(row[name], at)));
    return this.#one(made.lastInsertRowid);
  }

  #update(given: JsonRow): QuirkyAnswer {
    const { [this.#id]: id, CreateDate: _createDate, ...row } = given;
    if (id === undefined) throw new Error('Automated update missing default identifier');
    if (this.#one(id).status !== 200) return missing;
    if (this.#ignoresDeleted) delete row['Deleted'];
    if (this.#columns.some((column) => column.name === 'UpdateDate')) row['UpdateDate'] = sqlNow();
    const names = Object.keys(row);
    this.#database
      .prepare(
        `UPDATE "${this.#name}" SET ${names.map((name) => `"${name}" = ?`).join(', ')} WHERE "${this.#id}" = ?`,
      )
      .run(...names.map((name, at) => bindable(row[name], at)), id);
    const read = this.#one(id);
    // It reads back what it wrote, and an update that deleted is not to be seen.
    return read.status === 200
      ? read
      : { status: 500, body: { Error: 'No record found to update!', StatusCode: 500 } };
  }

  #setDeleted(id: unknown, value: 0 | 1): QuirkyAnswer {
    const { changes } = this.#database
      .prepare(`UPDATE "${this.#name}" SET "Deleted" = ? WHERE "${this.#id}" = ? AND "Deleted" = ?`)
      .run(value, id, 1 - value);
    return changes === 1 ? { status: 200, body: { Count: 1 } } : missing;
  }
}

function sqlNow(): string {
  return new Date().toISOString().slice(0, 19).replace('T', ' ');
}

function bindable(value: unknown, at: number): unknown {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'object' && value !== null)
    throw new Error(`Provided value cannot be bound to SQLite parameter ${at + 1}.`);
  return value;
}
