/**
 * What the database must say after a list of bridge calls, worked out a second time from the
 * contract's text alone. It shares no line with the product: a misreading on one side shows as a
 * difference.
 */

/** A call in the order of acceptance. `eventGuid` identifies an event that carries none itself. */
export type FoldCall = {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly eventGuid: string;
};
export type FoldValue = string | number | null;
/** Column -> value, as SQLite gives it; columns that cannot be foreseen are left out. */
export type FoldRow = Record<string, FoldValue>;
/** Rows of each table by their natural key, joined with a blank. */
export type FoldTables = Record<FoldTableName, Map<string, FoldRow>>;
export type FoldTableName =
  | 'UVQueueWorkItem'
  | 'UVQueueWorkItemEvent'
  | 'UVQueueWorkItemAttempt'
  | 'UVManifest';

/**
 * Columns as `name:kind=default`. Kinds: s sized text, n text that cannot be null, t text, j JSON
 * text, i integer, f float, b boolean. A default that is not written is '' for text, 0 for the
 * others.
 */
const shapes: Record<FoldTableName, string> = {
  UVQueueWorkItem: `WorkItemHash:s RunID:s RunHash:s NodeHash:s OperationHash:s Capability:s Action:s
    Settings:j={} AffinityKey:s AssignedBeaconID:s Status:s=Pending Priority:i EnqueuedAt:s
    DispatchedAt:s StartedAt:s ClaimedAt:s CompletedAt:s CanceledAt:s AssignedAt:s LastEventAt:s
    QueueWaitMs:i TimeoutMs:i Health:f HealthLabel:s=Unknown HealthReason:n HealthComputedAt:s
    AttemptNumber:i MaxAttempts:i=1 RetryBackoffMs:i RetryAfter:s LastError:t Result:j
    CancelRequested:b CancelReason:n CreatedAt:s RequireAffinityMatch:b StalledAt:s`,
  UVQueueWorkItemEvent:
    'EventGUID:s WorkItemHash:s EventType:s Payload:j={} EmittedAt:s Seq:i FromStatus:s ToStatus:s BeaconID:s RunID:s',
  UVQueueWorkItemAttempt: `WorkItemHash:s AttemptNumber:i BeaconID:s StartedAt:s EndedAt:s Outcome:s
    Error:t DispatchedAt:s CompletedAt:s DurationMs:i ErrorMessage:t`,
  UVManifest: `Hash:s OperationHash:s OperationName:n Status:s RunMode:s Live:b StartTime:s StopTime:s
    ElapsedMs:i ManifestJSON:j={} StagingPath:n`,
};

type Column = { kind: string; empty: FoldValue };

const columns = Object.fromEntries(
  Object.entries(shapes).map(([table, shape]) => [
    table,
    new Map(shape.split(/\s+/).map(columnOf)),
  ]),
);

function columnOf(text: string): [string, Column] {
  const [name = '', rest = ''] = text.split(':');
  const [kind = '', given] = rest.split('=');
  const isNumber = kind === 'i' || kind === 'f' || kind === 'b';
  return [name, { kind, empty: isNumber ? Number(given ?? 0) : (given ?? '') }];
}

/** Columns only the bridge and the database write; what a hub says about them is not believed. */
const own = new Set(['HubID', 'BridgeSeq', 'CreateDate', 'UpdateDate', 'Deleted', 'Extra']);

/** An object's fields as column values, and those without a column. */
function project(
  table: FoldTableName,
  fields: object,
): { set: FoldRow; extra: Record<string, unknown> } {
  const set: FoldRow = {};
  const extra: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const column = columns[table]?.get(name);
    if (column) set[name] = stored(column, value);
    else if (!own.has(name) && name !== `ID${table}`) extra[name] = value;
  }
  return { set, extra };
}

function stored(column: Column, value: unknown): FoldValue {
  const isNull = value === null || value === undefined;
  switch (column.kind) {
    case 'i':
    case 'b':
      return isNull ? column.empty : Number(value);
    case 'f':
      return isNull ? null : Number(value);
    case 'j':
      return isNull ? null : jsonText(value);
    case 't':
      return isNull ? null : plainText(value);
    default:
      return isNull ? column.empty : plainText(value);
  }
}

function plainText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function jsonText(value: unknown): string {
  return typeof value === 'string' && !parses(value) ? value : JSON.stringify(value);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Works out the four tables for one hub. */
export function foldCalls(calls: Iterable<FoldCall>, hub: string): FoldTables {
  const fold = new Fold(hub);
  for (const call of calls) fold.apply(call);
  return fold.tables;
}

class Fold {
  readonly tables: FoldTables = {
    UVQueueWorkItem: new Map(),
    UVQueueWorkItemEvent: new Map(),
    UVQueueWorkItemAttempt: new Map(),
    UVManifest: new Map(),
  };
  readonly #hub: string;

  constructor(hub: string) {
    this.#hub = hub;
  }

  apply({ method, args, eventGuid }: FoldCall): void {
    const [first, second, third] = args;
    switch (method) {
      case 'upsertWorkItem':
        return this.#write('UVQueueWorkItem', { WorkItemHash: hashOf(first) }, first as object);
      case 'updateWorkItem':
        return this.#write('UVQueueWorkItem', { WorkItemHash: String(first) }, second as object);
      case 'appendEvent':
        return this.#append(first as Record<string, unknown>, eventGuid);
      case 'insertAttempt':
        return this.#insertAttempt(first as Record<string, unknown>);
      case 'updateAttemptOutcome':
        return this.#write(
          'UVQueueWorkItemAttempt',
          { WorkItemHash: String(first), AttemptNumber: Number(second) },
          withFilled(third as object),
        );
      case 'upsertManifest':
        return this.#upsertManifest(first as Record<string, unknown>);
      case 'removeManifest':
        return this.#remove(String(first));
      default:
    }
  }

  #empty(table: FoldTableName, key: FoldRow): FoldRow {
    const row: FoldRow = {};
    for (const [name, column] of columns[table] ?? []) row[name] = column.empty;
    return { ...row, ...key, HubID: this.#hub, Deleted: 0, Extra: '{}' };
  }

  #write(table: FoldTableName, key: FoldRow, fields: object): void {
    const id = Object.values(key).join(' ');
    const row = this.tables[table].get(id) ?? this.#empty(table, key);
    const { set, extra } = project(table, fields);
    const merged = { ...(JSON.parse(String(row['Extra'])) as object), ...extra };
    this.tables[table].set(id, { ...row, ...set, ...key, Extra: JSON.stringify(merged) });
  }

  #append(event: Record<string, unknown>, eventGuid: string): void {
    const guid = event['EventGUID'] ? String(event['EventGUID']) : eventGuid;
    if (this.tables.UVQueueWorkItemEvent.has(guid)) return;
    this.#write('UVQueueWorkItemEvent', { EventGUID: guid }, event);
    // The worker fills in its own time where the sender gave none.
    if (!event['EmittedAt']) delete this.tables.UVQueueWorkItemEvent.get(guid)?.['EmittedAt'];
  }

  #insertAttempt(attempt: Record<string, unknown>): void {
    const key = {
      WorkItemHash: String(attempt['WorkItemHash']),
      AttemptNumber: Number(attempt['AttemptNumber']),
    };
    const there = this.tables.UVQueueWorkItemAttempt.get(Object.values(key).join(' '));
    if (!there) return this.#write('UVQueueWorkItemAttempt', key, withFilled(attempt));
    const { set, extra } = project('UVQueueWorkItemAttempt', withFilled(attempt));
    for (const [name, value] of Object.entries(set)) {
      if (there[name] === null || there[name] === '' || there[name] === 0) there[name] = value;
    }
    there['Extra'] = JSON.stringify({
      ...extra,
      ...(JSON.parse(String(there['Extra'])) as object),
    });
  }

  #upsertManifest(manifest: Record<string, unknown>): void {
    const { set } = project('UVManifest', manifest);
    const key = { Hash: String(manifest['Hash']) };
    this.tables.UVManifest.set(key.Hash, {
      ...this.#empty('UVManifest', key),
      ...set,
      ManifestJSON: JSON.stringify(manifest),
    });
  }

  #remove(runHash: string): void {
    const row = this.tables.UVManifest.get(runHash);
    if (row) row['Deleted'] = 1;
  }
}

function hashOf(item: unknown): string {
  return String((item as { WorkItemHash: unknown }).WorkItemHash);
}

/** StartedAt, EndedAt and Error from what coordinators send in their place. */
function withFilled(fields: object): object {
  const given = fields as Record<string, unknown>;
  const filled: Record<string, unknown> = { ...given };
  for (const [source, target] of [
    ['DispatchedAt', 'StartedAt'],
    ['CompletedAt', 'EndedAt'],
    ['ErrorMessage', 'Error'],
  ] as const) {
    if (given[source] !== undefined && given[target] === undefined) filled[target] = given[source];
  }
  return filled;
}
