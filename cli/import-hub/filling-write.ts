/**
 * A row of the hub's own store as a write that only fills: its identity is made of its content, so
 * that the same row is the same write, however often it is imported.
 */
import { createHash } from 'node:crypto';
import { laneOf, type WriteAction } from '../../contracts/actions.ts';
import type { JsonObject, JsonValue } from '../../contracts/body/json-value.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { TraceItem } from '../publish/trace-call.ts';
import type { Kind } from './hub-store.ts';

/** Columns of the hub's tables that are its own bookkeeping. */
const own =
  /^(?:ID|GUID)Beacon|^(?:Create|Update|Delete)Date$|^(?:Creat|Updat|Delet)ingIDUser$|^Deleted$/;

/** Null for what is no row: deleted, unreadable, or without the hash that names it. */
export function fillingWrite(kind: Kind, row: JsonObject): TraceItem | null {
  if (row['Deleted']) return null;
  const key = row[kind === 'runs' ? 'Hash' : 'WorkItemHash'];
  if (typeof key !== 'string' || key === '') return null;
  const identity = guidOf(`${kind} ${JSON.stringify(row)}`);
  const [action, settings] = writeOf(kind, row, identity);
  const lane = laneOf(action) as Lane;
  return {
    lane,
    action,
    isWrite: true,
    key: `${lane} ${key}`,
    envelope: { EventGUID: identity, Settings: settings },
    bytes: JSON.stringify(settings).length,
    where: `${kind} ${key}`,
  };
}

function writeOf(kind: Kind, row: JsonObject, identity: string): [WriteAction, JsonObject] {
  switch (kind) {
    case 'items':
      return ['QP_UpsertWorkItem', { WorkItem: said(row), FillOnly: true }];
    case 'events':
      return ['QP_AppendEvent', { Event: eventOf(row, identity) }];
    case 'attempts':
      return ['QP_InsertAttempt', { Attempt: said(row) }];
    case 'runs':
      return ['MS_UpsertManifest', { Manifest: row, FillOnly: true }];
  }
}

/**
 * The hub kept neither an identity of its events nor, in some versions, when they were: the number
 * of the row is their order, and no event was before its item.
 */
function eventOf(row: JsonObject, identity: string): JsonObject {
  const EmittedAt = row['CreateDate'] ?? row['ItemEnqueuedAt'] ?? '';
  return { ...said(row), EventGUID: identity, Seq: row['IDBeaconWorkItemEvent'] ?? 0, EmittedAt };
}

/** Columns that say something, as the hub has them in memory. */
function said(row: JsonObject): JsonObject {
  const columns = Object.entries(row).filter(
    ([name, value]) =>
      value !== null && value !== '' && name !== 'ItemEnqueuedAt' && !own.test(name),
  );
  return Object.fromEntries(columns.map(([name, value]) => [name, inMemory(name, value)]));
}

/** The hub's store has some columns as text: JSON, and a number. */
function inMemory(name: string, value: JsonValue): JsonValue {
  if (typeof value !== 'string') return value;
  if (name === 'Health') return Number(value);
  if (!['Settings', 'Result', 'Payload'].includes(name)) return value;
  try {
    return JSON.parse(value) as JsonValue;
  } catch {
    return value;
  }
}

/** Version 8: made of what it names. */
function guidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return (
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-` +
    `8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  );
}
