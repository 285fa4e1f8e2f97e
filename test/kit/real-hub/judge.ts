/**
 * Judges a database, and the runs a hub shows, by the recording of the calls it made: each call is
 * in effect once, and nothing else is.
 */
import { readRows } from '../rows/compare.ts';
import { foldCalls, type FoldRow, type FoldTableName } from '../rows/fold.ts';
import { linesOf } from '../dropin/hub-container.ts';

export type Call = { number: string; method: string; args: unknown[] };
export type Recording = {
  /** In their order, over all lives of the hub. */
  calls: Call[];
  /** Numbers of calls that a signal hit before they returned: in effect or not. */
  unreturned: ReadonlySet<string>;
  /** What the worker refused for good. */
  refused: string[];
};
type Line = Partial<Call> & { returned?: string; refused?: string; Code?: string; Reason?: string };

export function recordingOf(path: string): Recording {
  const calls: Call[] = [];
  const unreturned = new Set<string>();
  const refused: string[] = [];
  for (const text of linesOf(path)) {
    const { number, method = '', args = [], ...about } = JSON.parse(text) as Line;
    if (about.returned !== undefined) unreturned.delete(about.returned);
    else if (about.refused !== undefined)
      refused.push(`${about.refused}: ${about.Code} ${about.Reason}`);
    else if (number !== undefined) {
      calls.push({ number, method, args });
      unreturned.add(number);
    }
  }
  return { calls, unreturned, refused };
}

/** What is wrong in the database, in words. */
export function faultsOf(recording: Recording, backend: string, hub: string): string[] {
  const rowsOf = (table: FoldTableName) =>
    readRows(backend, table).filter((row) => row['HubID'] === hub);
  return [
    ...recording.refused.map((what) => `refused: ${what}`),
    ...eventFaults(recording, rowsOf('UVQueueWorkItemEvent')),
    ...(Object.keys(keyed) as KeyedTable[]).flatMap((table) =>
      rowFaults(recording, table, rowsOf(table)),
    ),
  ];
}

/** States of runs as the last call about each says, by hash; more than one where that is not sure. */
export function statesOf({ calls, unreturned }: Recording): Map<string, ReadonlySet<string>> {
  const states = new Map<string, ReadonlySet<string>>();
  for (const { number, method, args } of calls) {
    if (method !== 'upsertManifest') continue;
    const { Hash, Status } = args[0] as { Hash: string; Status: string };
    const before = unreturned.has(number) ? (states.get(Hash) ?? []) : [];
    states.set(Hash, new Set([...before, Status]));
  }
  return states;
}

/** Events have no identity at the hub: those of one content are counted. */
function eventFaults({ calls, unreturned }: Recording, rows: readonly FoldRow[]): string[] {
  const made = new Map<string, { sure: number; most: number }>();
  for (const { number, method, args } of calls) {
    if (method !== 'appendEvent') continue;
    const content = contentOf(args[0] as Record<string, unknown>);
    const { sure, most } = made.get(content) ?? { sure: 0, most: 0 };
    made.set(content, { sure: unreturned.has(number) ? sure : sure + 1, most: most + 1 });
  }
  const found = new Map<string, number>();
  for (const row of rows) {
    const content = contentOf({ ...row, Payload: JSON.parse(String(row['Payload'])) as unknown });
    found.set(content, (found.get(content) ?? 0) + 1);
  }
  const faults = [...made].flatMap(([content, { sure, most }]) => {
    const count = found.get(content) ?? 0;
    found.delete(content);
    return count >= sure && count <= most
      ? []
      : [`event ${content}: there ${count} times instead of ${sure} to ${most}`];
  });
  return [...faults, ...[...found.keys()].map((content) => `event ${content}: never appended`)];
}

function contentOf(event: Record<string, unknown>): string {
  const names = ['WorkItemHash', 'EventType', 'FromStatus', 'ToStatus', 'BeaconID', 'RunID'];
  return JSON.stringify([...names.map((name) => event[name] ?? ''), event['Payload'] ?? {}]);
}

const keyed = {
  UVQueueWorkItem: {
    methods: ['upsertWorkItem', 'updateWorkItem'],
    columns: ['WorkItemHash'],
  },
  UVQueueWorkItemAttempt: {
    methods: ['insertAttempt', 'updateAttemptOutcome'],
    columns: ['WorkItemHash', 'AttemptNumber'],
  },
  UVManifest: { methods: ['upsertManifest', 'removeManifest'], columns: ['Hash'] },
};
type KeyedTable = keyof typeof keyed;

function rowFaults(recording: Recording, table: KeyedTable, rows: readonly FoldRow[]): string[] {
  const { methods, columns } = keyed[table];
  const found = new Map(rows.map((row) => [columns.map((name) => row[name]).join(' '), row]));
  const ofKey = Map.groupBy(
    recording.calls.filter(({ method }) => methods.includes(method)),
    (call) => keyOf(call, columns),
  );
  const faults: string[] = [];
  for (const [key, calls] of ofKey) {
    const row = found.get(key);
    found.delete(key);
    // With each choice of those that may not have come to pass.
    const differences = choicesOf(calls, recording.unreturned).map((made) =>
      differenceOf(table, row, made),
    );
    if (!differences.includes(null)) faults.push(`${table} ${key}: ${differences[0]}`);
  }
  return [...faults, ...[...found.keys()].map((key) => `${table} ${key}: never written`)];
}

function keyOf({ args }: Call, columns: readonly string[]): string {
  const [first, second] = args;
  return typeof first === 'object' && first !== null
    ? columns.map((name) => (first as Record<string, unknown>)[name]).join(' ')
    : [first, second].slice(0, columns.length).join(' ');
}

function choicesOf(calls: readonly Call[], unreturned: ReadonlySet<string>): Call[][] {
  const open = calls.filter(({ number }) => unreturned.has(number)).slice(-4);
  return Array.from({ length: 2 ** open.length }, (_, choice) => {
    const left = new Set(open.filter((_call, n) => (choice & (1 << n)) !== 0));
    return calls.filter((call) => !left.has(call));
  });
}

/** Null where the row is as these calls make it. */
function differenceOf(
  table: KeyedTable,
  row: FoldRow | undefined,
  calls: readonly Call[],
): string | null {
  const tables = foldCalls(
    calls.map((call) => ({ ...call, eventGuid: '' })),
    String(row?.['HubID'] ?? ''),
  );
  const [want] = tables[table].values();
  if (!want || !row) return want || row ? (row ? 'should not be there' : 'is missing') : null;
  // What outlived a process of the hub was filled with what the next one had of it; so was an item
  // that the hub wrote down for itself just before it was ended, and never sent.
  const isFilled =
    new Set(calls.map(({ number }) => number.split('.')[0])).size > 1 ||
    calls[0]?.method === 'updateWorkItem';
  for (const [column, value] of Object.entries(want)) {
    const isSame =
      column === 'Extra'
        ? hasMembers(row[column], value)
        : row[column] === value || (isFilled && isEmpty(value));
    if (!isSame) return `${column} is ${brief(row[column])} instead of ${brief(value)}`;
  }
  return null;
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || value === 0 || value === '{}';
}

/** The one object has all members of the other. */
function hasMembers(one: unknown, other: unknown): boolean {
  const [has, wanted] = [one, other].map((text) => JSON.parse(String(text)) as object);
  const members = new Map(Object.entries(has ?? {}));
  return Object.entries(wanted ?? {}).every(
    ([name, value]) => JSON.stringify(members.get(name)) === JSON.stringify(value),
  );
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
