/** The proofs of the demonstration: compares the rows of the database file with the trace. */
import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type JsonValue } from '../../contracts/body/json-value.ts';
import { jsonColumns, type Scalar, tableOf } from '../../contracts/schema.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { isGuid } from '../../contracts/envelope.ts';
import type { Summary } from '../publish/counts.ts';
import { openReadOnly } from '../../worker/state/connection.ts';
import type { Expected } from './expected.ts';

export type Proof = { name: string; expected: string; found: string; isOk: boolean };

/** The summaries of the three publish runs. */
export type Runs = { first: Summary; second: Summary; again: Summary };

type StoredRow = Record<string, Scalar>;

export function proofsOf(
  databasePath: string,
  expected: Expected,
  runs: Runs,
  status: WorkerStatus,
): Proof[] {
  const { queue, manifest } = status.Balance;
  return [
    equal(
      'writes in the trace, accepted',
      expected.writes,
      runs.first.Accepted + runs.second.Accepted,
    ),
    equal('writes published again, all duplicates', expected.writes, runs.again.Duplicates),
    equal('accepted a second time', 0, runs.again.Accepted),
    equal('refused', 0, runs.first.Refused + runs.second.Refused + runs.again.Refused),
    ...rowProofs(databasePath, expected),
    equal('undelivered', 0, status.Queue.Pending + status.Manifest.Pending),
    equal('dead letters', 0, status.Queue.DeadLetters + status.Manifest.DeadLetters),
    equal(
      'balance: accepted less delivered, pending and dead-lettered',
      0,
      Math.abs(queue.Difference) + Math.abs(manifest.Difference),
    ),
  ];
}

/** The database must hold exactly the rows the trace implies, with their last values. */
function rowProofs(databasePath: string, expected: Expected): Proof[] {
  const rows = (table: string) => readRows(databasePath, table);
  const items = rows('UVQueueWorkItem');
  const events = rows('UVQueueWorkItemEvent');
  const attempts = rows('UVQueueWorkItemAttempt');
  const manifests = rows('UVManifest');
  const attemptKeys = attempts.map((row) => `${row['WorkItemHash']} ${row['AttemptNumber']}`);
  const known = events
    .map((row) => row['EventGUID'])
    .filter((guid) => isGuid(guid) && expected.events.has(guid));
  return [
    equal('work items', expected.workItems.size, items.length),
    equal('events', expected.events.size, events.length),
    equal(
      'events in the trace found by EventGUID, once each',
      expected.events.size,
      distinct(known),
    ),
    equal('attempts', expected.attempts.size, attempts.length),
    equal(
      'attempts in the trace found, once each',
      expected.attempts.size,
      distinct(attemptKeys.filter((key) => expected.attempts.has(key))),
    ),
    equal('manifests', expected.manifests.size, manifests.length),
    equal(
      'work items whose last writes won',
      expected.workItems.size,
      items.filter((row) => holdsItem(row, expected)).length,
    ),
    equal(
      'manifests whose last version won',
      expected.manifests.size,
      manifests.filter((row) => holdsManifest(row, expected)).length,
    ),
  ];
}

function distinct(values: Iterable<unknown>): number {
  return new Set(values).size;
}

function equal(name: string, expected: number, found: number): Proof {
  return { name, expected: String(expected), found: String(found), isOk: expected === found };
}

function readRows(path: string, table: string): StoredRow[] {
  const db = openReadOnly(path);
  try {
    return db.prepare(`select * from "${table}" where Deleted = 0`).all() as StoredRow[];
  } finally {
    db.close();
  }
}

function holdsItem(row: StoredRow, { workItems }: Expected): boolean {
  const fields = workItems.get(String(row['WorkItemHash']));
  if (!fields) return false;
  const { columns } = tableOf('UVQueueWorkItem');
  const extra = JSON.parse(String(row['Extra'] ?? '{}') || '{}') as Record<string, JsonValue>;
  return Object.entries(fields).every(([name, value]) =>
    columns.has(name)
      ? isStoredAs(name, value, row[name] ?? null)
      : isDeepStrictEqual(extra[name] ?? null, value),
  );
}

/**
 * Whether a value is stored as expected: null as the column's empty value, JSON as text, booleans
 * as numbers, and numbers in text columns as text.
 */
function isStoredAs(name: string, value: JsonValue, stored: Scalar): boolean {
  if (value === null)
    return (
      stored === null ||
      stored === '' ||
      stored === 0 ||
      stored === tableOf('UVQueueWorkItem').columns.get(name)?.defaultValue
    );
  if (typeof value === 'boolean') return Number(stored) === Number(value);
  if (jsonColumns.has(name) && typeof value !== 'string')
    return isDeepStrictEqual(JSON.parse(String(stored)), value);
  return String(stored) === String(value);
}

function holdsManifest(row: StoredRow, { manifests }: Expected): boolean {
  const stored: unknown = JSON.parse(String(row['ManifestJSON']));
  return isJsonObject(stored) && isDeepStrictEqual(stored, manifests.get(String(row['Hash'])));
}
