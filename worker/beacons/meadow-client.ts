/**
 * MeadowProxy.Request as rows: reads by query and by key, inserts and updates, with HTTP statuses
 * turned into meanings.
 */
import type { ProxyOutputs } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import type { Row, RowQuery } from '../../contracts/mutation.ts';
import { tableOf, type TableName } from '../../contracts/schema.ts';
import type { Dispatcher } from './dispatcher.ts';
import { pagesOf, storable } from './foreign-rows.ts';
import { type Grammar, keyQuery, queryPath, valueParts } from './meadow-path.ts';

/**
 * How a write ended: `unique` when another row has the key, `gone` when its row is not there (any
 * more), `refused` when no retry mends it.
 */
export type Written = { end: 'done' } | { end: 'unique' | 'gone' | 'refused'; reason: string };

const done: Written = { end: 'done' };

/**
 * Words of unique violations in the bodies of databeacons that answer 500 for every driver error.
 */
const uniqueWords = /unique constraint|unique key|duplicate|er_dup_entry/i;
/**
 * Of a row that is not there, hidden, or hidden by the very update. A path that is not there says
 * otherwise.
 */
const goneWords = /record not found|no record (?:found|updated)/i;
/**
 * Driver codes that no retry mends: a value that does not fit. A missing table or column is none:
 * the next bootstrap adds it.
 */
const permanentCodes = /^(?:22|23|42804)|^ER_(?:DATA_TOO_LONG|TRUNCATED|WARN_DATA|BAD_NULL)/;
/** The same where the code says nothing. */
const permanentWords = new RegExp(
  [
    '(?:NOT NULL|CHECK) constraint failed',
    'cannot be bound',
    'datatype mismatch',
    'too big',
    'would be truncated',
    'Cannot insert the value NULL',
    'Arithmetic overflow',
    'Conversion failed',
  ].join('|'),
  'i',
);

export class MeadowClient {
  readonly #dispatcher: Dispatcher;
  readonly #beacon: string;
  readonly #endpoints: ReadonlyMap<string, string>;
  readonly #grammar: Grammar;

  /** @param endpoints table -> EndpointBase, as EnableEndpoint answered */
  constructor(
    dispatcher: Dispatcher,
    beacon: string,
    endpoints: ReadonlyMap<string, string>,
    grammar: Grammar = 'ours',
  ) {
    this.#dispatcher = dispatcher;
    this.#beacon = beacon;
    this.#endpoints = endpoints;
    this.#grammar = grammar;
  }

  get #isForeign(): boolean {
    return this.#grammar === 'theirs';
  }

  #endpoint(table: string): string {
    const endpoint = this.#endpoints.get(table);
    if (!endpoint)
      throw new TidemarkError('UNAVAILABLE', `${this.#beacon} has no endpoint for ${table} yet`);
    return endpoint;
  }

  async #request(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; body: unknown }> {
    const settings = {
      Method: method,
      Path: path,
      ...(body ? { Body: JSON.stringify(body) } : {}),
    };
    const outputs = await this.#dispatcher.send<ProxyOutputs>(
      this.#beacon,
      'proxy',
      'Request',
      settings,
    );
    return { status: outputs.Status, body: parsed(outputs.Body) };
  }

  async #rows(path: string): Promise<Row[]> {
    const { status, body } = await this.#request('GET', path);
    if (status === 200 && Array.isArray(body)) return body as Row[];
    throw new TidemarkError(
      'UNAVAILABLE',
      `${this.#beacon}: reading answered ${status}: ${reasonOf(body)}`,
    );
  }

  #ask(query: RowQuery): Promise<Row[]> {
    const endpoint = this.#endpoint(query.Table);
    if (!this.#isForeign) return this.#rows(queryPath(endpoint, query));
    return pagesOf(query, (part, begin, cap) =>
      this.#rows(queryPath(endpoint, part, 'theirs', begin, cap)),
    );
  }

  /**
   * Rows of a query. A term with many values is asked in several requests; the answer is then in no
   * order.
   */
  async rows(query: RowQuery): Promise<Row[]> {
    const wide = query.Terms.find((term) => valueParts(term.Values).length > 1);
    if (!wide) return this.#ask(query);
    const rows: Row[] = [];
    for (const values of valueParts(wide.Values)) {
      const part = { ...wide, Values: values };
      rows.push(
        ...(await this.rows({
          ...query,
          Terms: query.Terms.map((term) => (term === wide ? part : term)),
        })),
      );
    }
    return rows;
  }

  /** The row of a natural key, also when it is soft-deleted; null when there is none. */
  async find(table: string, key: Row): Promise<Row | null> {
    const [live] = await this.#ask(keyQuery(table, key, false));
    if (live) return live;
    const [deleted] = await this.#ask(keyQuery(table, key, true));
    return deleted ?? null;
  }

  insert(table: string, row: Row): Promise<Written> {
    return this.#write('POST', this.#endpoint(table), row);
  }

  /**
   * @param row with the table's id column in it
   * @param isDeleted whether the row is soft-deleted: the incumbent hides it from updates too
   */
  async update(table: string, row: Row, isDeleted: boolean): Promise<Written> {
    if (this.#isForeign && isDeleted) {
      const undeleted = await this.#write(
        'GET',
        `${this.#endpoint(table)}/Undelete/${this.#idOf(table, row)}`,
      );
      if (undeleted.end !== 'done') return undeleted;
    }
    return this.#write('PUT', this.#endpoint(table), row);
  }

  /** Soft-deletes. @param row its id, and what is to be said of it on that occasion */
  async remove(table: string, key: Row, row: Row): Promise<Written> {
    const path = this.#endpoint(table);
    const put = await this.#write('PUT', path, { ...row, Deleted: 1 });
    if (!this.#isForeign || put.end === 'refused') return put;
    // The incumbent may have done it and then not found what it did, or may have left Deleted
    // alone: only a look tells.
    const found = await this.find(table, key);
    if (!found) return { end: 'gone', reason: 'the row left' };
    return found['Deleted'] === 1
      ? done
      : this.#write('DELETE', `${path}/${this.#idOf(table, row)}`);
  }

  #idOf(table: string, row: Row): string {
    return encodeURIComponent(String(row[tableOf(table as TableName).idColumn] ?? ''));
  }

  async #write(method: string, path: string, row?: Row): Promise<Written> {
    const { status, body } = await this.#request(
      method,
      path,
      row && this.#isForeign ? storable(row) : row,
    );
    if (status >= 200 && status < 300) return done;
    const reason = reasonOf(body);
    const isDriver = status === 400 || status === 500;
    if (status === 409 || (isDriver && uniqueWords.test(`${reason} ${codeOf(body)}`)))
      return { end: 'unique', reason };
    if ((status === 404 || status === 500) && goneWords.test(reason))
      return { end: 'gone', reason };
    if (status === 400 || status === 422) return { end: 'refused', reason };
    if (status === 500 && (permanentCodes.test(codeOf(body)) || permanentWords.test(reason)))
      return { end: 'refused', reason };
    throw new TidemarkError(
      'UNAVAILABLE',
      `${this.#beacon}: ${method} answered ${status}: ${reason}`,
    );
  }
}

function codeOf(body: unknown): string {
  return isJsonObject(body) ? String(body['Code'] ?? '') : '';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function reasonOf(body: unknown): string {
  if (!isJsonObject(body)) return String(body).slice(0, 200);
  return String(
    body['Error'] ?? body['error'] ?? body['message'] ?? body['Message'] ?? JSON.stringify(body),
  ).slice(0, 500);
}
