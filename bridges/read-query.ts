/** Translates read actions into row queries, checking a hub's filter against the table it reads. */
import { manifestFilters, workItemFilters } from '../contracts/actions.ts';
import { TidemarkError } from '../contracts/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../contracts/body/json-value.ts';
import { limits } from '../contracts/limits.ts';
import type { RowQuery } from '../contracts/mutation.ts';
import { type Scalar, type SchemaTable, type TableName, tableOf } from '../contracts/schema.ts';

/** What a list action reads, and its default order. */
type Listing = {
  table: SchemaTable;
  filters: readonly string[];
  orderBy: string;
  tieBreaker: string;
};

const listings = {
  QP_ListWorkItems: {
    table: tableOf('UVQueueWorkItem'),
    filters: workItemFilters,
    orderBy: 'EnqueuedAt',
    tieBreaker: 'WorkItemHash',
  },
  MS_ListManifests: {
    table: tableOf('UVManifest'),
    filters: manifestFilters,
    orderBy: 'StartTime',
    tieBreaker: 'Hash',
  },
} satisfies Record<string, Listing>;

export type ListAction = keyof typeof listings;

/** `"Col"`, `"-Col"`, `"Col ASC"` or `"Col DESC"`. */
const orderShape = /^(-?)([A-Za-z]\w*)(?:\s+(asc|desc))?$/i;

function decodeOrder(listing: Listing, orderBy: JsonValue | undefined): RowQuery['Order'] {
  const given = typeof orderBy === 'string' ? orderBy.trim() : listing.orderBy;
  const [, minus, name = '', direction] = orderShape.exec(given) ?? [];
  const column = listing.table.columns.get(name);
  if (!column || column.kind === 'own' || column.isNullable) {
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `Settings.Filter.OrderBy: ${JSON.stringify(given)} is not a column of ` +
        `${listing.table.name} that rows can be ordered by`,
    );
  }
  const isDescending = (minus === '-') !== (direction?.toLowerCase() === 'desc');
  const order = [{ Column: name, IsDescending: isDescending }];
  return name === listing.tieBreaker
    ? order
    : [...order, { Column: listing.tieBreaker, IsDescending: isDescending }];
}

/** Encodes where a page ended, as the opaque `Next`. */
export function encodeNext(order: RowQuery['Order'], row: Record<string, unknown>): string {
  const position = order.map((term) => row[term.Column] ?? null);
  return Buffer.from(
    JSON.stringify([
      order.map((term) => (term.IsDescending ? '-' : '') + term.Column).join(),
      ...position,
    ]),
  ).toString('base64url');
}

function decodeAfter(
  order: RowQuery['Order'],
  after: JsonValue | undefined,
): Pick<RowQuery, 'After'> {
  if (typeof after !== 'string') return {};
  const wrong = new TidemarkError(
    'INVALID_MESSAGE',
    'Settings.Filter.After: not the Next of a page in this order',
  );
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(after, 'base64url').toString());
  } catch {
    throw wrong;
  }
  if (!Array.isArray(parsed) || parsed.length !== order.length + 1) throw wrong;
  const [signature, ...position] = parsed as unknown[];
  if (signature !== order.map((term) => (term.IsDescending ? '-' : '') + term.Column).join())
    throw wrong;
  if (
    !position.every(
      (value) =>
        typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean',
    )
  )
    throw wrong;
  return { After: position };
}

/**
 * Translates a list action of one hub into a query.
 * @throws TidemarkError INVALID_MESSAGE for an invalid `OrderBy` or `After`
 */
export function listQuery(action: ListAction, hubId: string, settings: JsonObject): RowQuery {
  const listing: Listing = listings[action];
  const filter = isJsonObject(settings['Filter']) ? settings['Filter'] : {};
  const order = decodeOrder(listing, filter['OrderBy']);
  const terms: RowQuery['Terms'] = [{ Column: 'HubID', Values: [hubId] }];
  for (const name of listing.filters) {
    const value = filter[name];
    if (value !== undefined)
      terms.push({ Column: name, Values: (Array.isArray(value) ? value : [value]) as Scalar[] });
  }
  return {
    Table: listing.table.name,
    Terms: terms,
    Order: order,
    ...decodeAfter(order, filter['After']),
    Limit: typeof filter['Limit'] === 'number' ? filter['Limit'] : limits.listRowsDefault,
    ...(filter['Full'] === true ? { IsFull: true } : {}),
  };
}

/** The column that holds a row's key, for each table hubs read by key. */
export const hashColumns: Partial<Record<TableName, string>> = {
  UVQueueWorkItem: 'WorkItemHash',
  UVQueueWorkItemEvent: 'WorkItemHash',
  UVManifest: 'Hash',
};

export function keysQuery(table: TableName, hubId: string, keys: readonly string[]): RowQuery {
  const column = hashColumns[table] ?? 'Hash';
  return {
    Table: table,
    Terms: [
      { Column: 'HubID', Values: [hubId] },
      { Column: column, Values: keys },
    ],
    Order: [{ Column: column, IsDescending: false }],
    Limit: keys.length,
  };
}

/** Events are read in the order they were emitted; ties by the sender's count, then by arrival. */
export const eventOrder: RowQuery['Order'] = ['EmittedAt', 'Seq', 'BridgeSeq'].map((name) => ({
  Column: name,
  IsDescending: false,
}));

export function eventsQuery(hubId: string, hash: string, limit: number): RowQuery {
  return {
    Table: 'UVQueueWorkItemEvent',
    Terms: [
      { Column: 'HubID', Values: [hubId] },
      { Column: 'WorkItemHash', Values: [hash] },
    ],
    Order: eventOrder,
    Limit: limit,
  };
}
