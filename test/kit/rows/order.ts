/**
 * Checks I7 from the outside: the order in which the backend got the writes of a key, against the
 * order of their acceptance.
 */
import { type Backend, readRows } from './compare.ts';
import type { FoldTableName } from './fold.ts';

/** One accepted write: what it was, and the Seq the worker answered. */
export type Acceptance = {
  method: string;
  args: readonly unknown[];
  eventGuid: string;
  seq: number;
};

/**
 * Complaints about order, none when all is well. `calls` are in the order in which the hub made
 * them.
 */
export function orderComplaints(
  backend: Backend,
  hub: string,
  accepted: readonly Acceptance[],
): string[] {
  return [
    ...acceptanceComplaints(accepted),
    ...rowComplaints(backend, hub, accepted),
    ...arrivalComplaints(backend, hub),
  ];
}

/** Of one key, later calls have greater Seqs. */
function acceptanceComplaints(accepted: readonly Acceptance[]): string[] {
  const last = new Map<string, number>();
  return accepted.flatMap((one) => {
    const key = `${isManifest(one.method) ? 'manifest' : 'queue'} ${keyOf(one)}`;
    const before = last.get(key) ?? 0;
    last.set(key, Math.max(one.seq, before));
    return one.seq > before ? [] : [`${one.method} of ${key}: Seq ${one.seq} after ${before}`];
  });
}

/** A row's BridgeSeq is the Seq of the last write to it. */
function rowComplaints(backend: Backend, hub: string, accepted: readonly Acceptance[]): string[] {
  const last = new Map<string, number>();
  for (const one of accepted) last.set(rowOf(one), one.seq);
  return (
    [
      'UVQueueWorkItem',
      'UVQueueWorkItemAttempt',
      'UVQueueWorkItemEvent',
      'UVManifest',
    ] as FoldTableName[]
  ).flatMap((table) =>
    readRows(backend, table).flatMap((row) => {
      if (row['HubID'] !== hub) return [];
      const id = `${table} ${idOf(table, row)}`;
      return last.get(id) === row['BridgeSeq']
        ? []
        : [`${id}: BridgeSeq ${row['BridgeSeq']}, last accepted ${last.get(id)}`];
    }),
  );
}

/**
 * Events of a work item were inserted in the order of their Seq: the database numbers rows as they
 * come.
 */
function arrivalComplaints(backend: Backend, hub: string): string[] {
  const last = new Map<unknown, number>();
  const rows = readRows(backend, 'UVQueueWorkItemEvent').filter((row) => row['HubID'] === hub);
  return rows
    .toSorted(
      (one, other) =>
        Number(one['IDUVQueueWorkItemEvent']) - Number(other['IDUVQueueWorkItemEvent']),
    )
    .flatMap((row) => {
      const seq = Number(row['BridgeSeq']);
      const before = last.get(row['WorkItemHash']) ?? 0;
      last.set(row['WorkItemHash'], seq);
      return seq > before ? [] : [`event ${row['EventGUID']} with Seq ${seq} came after ${before}`];
    });
}

function isManifest(method: string): boolean {
  return method.endsWith('Manifest');
}

function keyOf({ args: [first] }: Acceptance): string {
  if (typeof first === 'string') return first;
  const fields = first as { WorkItemHash?: string; Hash?: string };
  return fields.WorkItemHash ?? fields.Hash ?? '';
}

function rowOf(one: Acceptance): string {
  const key = keyOf(one);
  switch (one.method) {
    case 'appendEvent':
      return `UVQueueWorkItemEvent ${(one.args[0] as { EventGUID?: string }).EventGUID ?? one.eventGuid}`;
    case 'insertAttempt':
      return `UVQueueWorkItemAttempt ${key} ${(one.args[0] as { AttemptNumber: number }).AttemptNumber}`;
    case 'updateAttemptOutcome':
      return `UVQueueWorkItemAttempt ${key} ${String(one.args[1])}`;
    default:
      return `${isManifest(one.method) ? 'UVManifest' : 'UVQueueWorkItem'} ${key}`;
  }
}

function idOf(table: FoldTableName, row: Record<string, unknown>): string {
  switch (table) {
    case 'UVQueueWorkItemEvent':
      return String(row['EventGUID']);
    case 'UVQueueWorkItemAttempt':
      return `${String(row['WorkItemHash'])} ${String(row['AttemptNumber'])}`;
    case 'UVManifest':
      return String(row['Hash']);
    default:
      return String(row['WorkItemHash']);
  }
}
