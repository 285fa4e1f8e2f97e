/**
 * Reads rows from a legacy beacon in the form of our tables, so that pending writes can be put over
 * them.
 */
import PQueue from 'p-queue';
import { manifestColumns } from '../../bridges/manifest-bridge.ts';
import { defaultsOf, project } from '../../bridges/project.ts';
import { compareRows, type KnownRow, matches } from '../../bridges/read-merge.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { RowQuery } from '../../contracts/mutation.ts';
import { type SchemaTable, type TableName, tableOf } from '../../contracts/schema.ts';
import type { Dispatcher } from '../beacons/dispatcher.ts';

/** How to ask for rows of a table: by hash, or with a filter. */
type Asking = { hash: string; get: string; payload: string; list?: string };

const askings: Partial<Record<TableName, Asking>> = {
  UVQueueWorkItem: {
    hash: 'WorkItemHash',
    get: 'QP_GetWorkItemByHash',
    payload: 'WorkItem',
    list: 'QP_ListWorkItems',
  },
  UVQueueWorkItemEvent: { hash: 'WorkItemHash', get: 'QP_GetEvents', payload: 'Events' },
  UVManifest: {
    hash: 'Hash',
    get: 'MS_GetManifest',
    payload: 'Manifest',
    list: 'MS_ListManifests',
  },
};

/**
 * A list that came back too short is requested again with this many times the rows, because legacy
 * lists have no pages.
 */
const widening = 4;

export class LegacyReads {
  readonly #dispatcher: Dispatcher;
  readonly #beacon: string;

  constructor(dispatcher: Dispatcher, beacon: string) {
    this.#dispatcher = dispatcher;
    this.#beacon = beacon;
  }

  /**
   * @throws TidemarkError UNAVAILABLE when the beacon does not answer; REJECTED for what legacy
   * actions cannot return; TOO_LARGE for a position too deep in a list
   */
  async rows(query: RowQuery): Promise<KnownRow[]> {
    const asking = askings[query.Table as TableName];
    // Legacy actions return neither deleted rows nor attempts.
    if (!asking || query.Terms.some((term) => term.Column === 'Deleted'))
      throw new TidemarkError(
        'REJECTED',
        `${this.#beacon} is a legacy beacon: it cannot be asked for rows of ${query.Table} as they are stored`,
      );
    const hashes = query.Terms.find((term) => term.Column === asking.hash)?.Values;
    return hashes ? this.#byHash(query, asking, hashes.map(String)) : this.#list(query, asking);
  }

  async #byHash(query: RowQuery, asking: Asking, hashes: readonly string[]): Promise<KnownRow[]> {
    const queue = new PQueue({ concurrency: limits.proxyRequestsMax });
    const hashName = query.Table === 'UVManifest' ? 'RunHash' : asking.hash;
    const found = await queue.addAll(
      hashes.map((hash) => async () => {
        const outputs = await this.#ask(query, asking.get, {
          [hashName]: hash,
          ...(asking.payload === 'Events' ? { Limit: query.Limit } : {}),
        });
        return objectsOf(outputs[asking.payload]);
      }),
    );
    return inQuery(query, found.flat());
  }

  async #list(query: RowQuery, asking: Asking): Promise<KnownRow[]> {
    const { terms, order } = filterOf(query);
    for (
      let limit = query.After ? limits.listRowsMax : query.Limit;
      ;
      limit = Math.min(limit * widening, limits.listRowsMax)
    ) {
      const Filter = {
        ...terms,
        OrderBy: order,
        Limit: limit,
        ...(query.IsFull ? { Full: true } : {}),
      };
      const outputs = await this.#ask(query, asking.list ?? '', { Filter });
      const listed = objectsOf(outputs[`${asking.payload}s`]);
      const rows = inQuery(query, listed);
      if (rows.length >= query.Limit || listed.length < limit) return rows;
      if (limit >= limits.listRowsMax)
        throw new TidemarkError(
          'TOO_LARGE',
          `${this.#beacon} is a legacy beacon, whose lists end after ${limits.listRowsMax} rows; narrow the filter`,
        );
    }
  }

  /**
   * Sends a legacy action. A row that does not exist is not an error, however the beacon reports
   * it.
   */
  async #ask(query: RowQuery, action: string, settings: object): Promise<Record<string, unknown>> {
    const lane = query.Table === 'UVManifest' ? 'manifest' : 'queue';
    const outputs = await this.#dispatcher.send<Record<string, unknown>>(
      this.#beacon,
      lane,
      action,
      settings,
    );
    const reason = outputs['Reason'];
    const isMiss =
      typeof reason !== 'string' || /\bunknown\b|\bnot found\b|\bno such\b/i.test(reason);
    if (outputs['Success'] === true || (outputs['Success'] === false && isMiss)) return outputs;
    throw new TidemarkError(
      'UNAVAILABLE',
      `${this.#beacon}: ${action} answered ${typeof reason === 'string' ? reason : 'without Success'}`,
    );
  }
}

function filterOf(query: RowQuery): { terms: JsonObject; order: string } {
  const terms: JsonObject = {};
  for (const { Column, Values } of query.Terms) {
    if (Column !== 'HubID') terms[Column] = Values.length === 1 ? (Values[0] ?? null) : [...Values];
  }
  const [first] = query.Order;
  return { terms, order: `${first?.Column} ${first?.IsDescending ? 'DESC' : 'ASC'}` };
}

function objectsOf(value: unknown): JsonObject[] {
  return (Array.isArray(value) ? value : [value]).filter(isJsonObject);
}

/**
 * Converts the answer to rows of the table and applies the query to them: not every beacon honours
 * a filter.
 */
function inQuery(query: RowQuery, answered: readonly JsonObject[]): KnownRow[] {
  const table = tableOf(query.Table as TableName);
  const hub = query.Terms.find((term) => term.Column === 'HubID')?.Values[0] ?? '';
  const rows = answered.map((fields) => ({ ...toRow(table, fields), HubID: hub }));
  return rows
    .filter((row) => matches(query, row))
    .sort(compareRows(query.Order))
    .slice(0, query.Limit);
}

function toRow(table: SchemaTable, fields: JsonObject): KnownRow {
  const { columns, extra } = project(table, fields);
  const key: KnownRow = {};
  for (const name of table.key) if (name !== 'HubID') key[name] = fields[name] as KnownRow[string];
  if (table.name === 'UVManifest') return { ...manifestColumns(fields), ...key };
  return {
    ...defaultsOf(table),
    ...columns,
    ...(Object.keys(extra).length > 0 ? { Extra: JSON.stringify(extra) } : {}),
    ...key,
  };
}
