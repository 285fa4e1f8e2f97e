/** MeadowProxy.Request as rows: reads by query and by key, inserts and updates, with HTTP statuses turned into meanings. */
import type { ProxyOutputs } from '../contracts/capability.ts';
import { TidemarkError } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/json-value.ts';
import type { Row, RowQuery } from '../contracts/mutation.ts';
import type { Dispatcher } from './dispatcher.ts';
import { keyPath, queryPath } from './meadow-path.ts';

/** A write that the database refused: `unique` when another row has the key. */
export type Written = { isDone: true } | { isDone: false; isUnique: boolean; reason: string };

/** Longest list of keys in one path; a path is a line, and servers bound it. */
const keysPerRequest = 50;

/** Words of unique violations in the bodies of databeacons that answer 500 for every driver error. */
const uniqueWords = /unique|duplicate|er_dup_entry/i;

export class MeadowClient {
  readonly #dispatcher: Dispatcher;
  readonly #beacon: string;
  readonly #endpoints: ReadonlyMap<string, string>;

  /** @param endpoints table -> EndpointBase, as EnableEndpoint answered */
  constructor(dispatcher: Dispatcher, beacon: string, endpoints: ReadonlyMap<string, string>) {
    this.#dispatcher = dispatcher;
    this.#beacon = beacon;
    this.#endpoints = endpoints;
  }

  #endpoint(table: string): string {
    const endpoint = this.#endpoints.get(table);
    if (!endpoint) throw new TidemarkError('UNAVAILABLE', `${this.#beacon} has no endpoint for ${table} yet`);
    return endpoint;
  }

  async #request(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
    const settings = { Method: method, Path: path, ...(body ? { Body: JSON.stringify(body) } : {}) };
    const outputs = await this.#dispatcher.send<ProxyOutputs>(this.#beacon, 'proxy', 'Request', settings);
    return { status: outputs.Status, body: parsed(outputs.Body) };
  }

  async #rows(path: string): Promise<Row[]> {
    const { status, body } = await this.#request('GET', path);
    if (status === 200 && Array.isArray(body)) return body as Row[];
    throw new TidemarkError('UNAVAILABLE', `${this.#beacon}: reading answered ${status}: ${reasonOf(body)}`);
  }

  /** Rows of a query. A term with many values is asked in several requests; the answer is then in no order. */
  async rows(query: RowQuery): Promise<Row[]> {
    const endpoint = this.#endpoint(query.Table);
    const wide = query.Terms.find((term) => term.Values.length > keysPerRequest);
    if (!wide) return this.#rows(queryPath(endpoint, query));
    const rows: Row[] = [];
    for (let from = 0; from < wide.Values.length; from += keysPerRequest) {
      const part = { ...wide, Values: wide.Values.slice(from, from + keysPerRequest) };
      rows.push(...await this.#rows(queryPath(endpoint, { ...query, Terms: query.Terms.map((term) => (term === wide ? part : term)) })));
    }
    return rows;
  }

  /** The row of a natural key, also when it is soft-deleted; null when there is none. */
  async find(table: string, key: Row): Promise<Row | null> {
    const endpoint = this.#endpoint(table);
    const [live] = await this.#rows(keyPath(endpoint, key, false));
    if (live) return live;
    const [deleted] = await this.#rows(keyPath(endpoint, key, true));
    return deleted ?? null;
  }

  insert(table: string, row: Row): Promise<Written> {
    return this.#write('POST', this.#endpoint(table), row);
  }

  /** @param row with the table's id column in it */
  update(table: string, row: Row): Promise<Written> {
    return this.#write('PUT', this.#endpoint(table), row);
  }

  async #write(method: string, path: string, row: Row): Promise<Written> {
    const { status, body } = await this.#request(method, path, row);
    if (status >= 200 && status < 300) return { isDone: true };
    const reason = reasonOf(body);
    if (status === 409 || (status === 500 && uniqueWords.test(reason))) return { isDone: false, isUnique: true, reason };
    if (status === 400 || status === 422) return { isDone: false, isUnique: false, reason };
    if (status === 500 && isPermanent(body)) return { isDone: false, isUnique: false, reason };
    throw new TidemarkError('UNAVAILABLE', `${this.#beacon}: ${method} answered ${status}: ${reason}`);
  }
}

/** Driver codes that no retry mends: a value that does not fit, an unknown column. */
function isPermanent(body: unknown): boolean {
  const code = isJsonObject(body) ? String(body['Code'] ?? '') : '';
  return /^(22|23|42)/.test(code) || /^ER_(DATA_TOO_LONG|BAD_FIELD|TRUNCATED|WARN_DATA)/.test(code);
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
  return String(body['Error'] ?? body['error'] ?? body['message'] ?? body['Message'] ?? JSON.stringify(body)).slice(0, 500);
}
