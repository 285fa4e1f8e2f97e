/**
 * Row mutations: what each write becomes before it is sent to a beacon, and the beacon's answer for
 * each.
 */
import type { JsonObject } from './body/json-value.ts';
import type { Scalar } from './schema.ts';

/** Column -> value in stored form. */
export type Row = Record<string, Scalar>;

/**
 * One change to one row, found by its natural key.
 *
 * - `insert`: inserts once. If the row exists and has the same values in every column of `Set`, the
 *   outcome is `already-present`, otherwise `conflict`.
 * - `write`: upserts. It sets the columns of `Set`, sets those of `Fill` that are empty, and merges
 *   `Merge` into JSON text. It restores a soft-deleted row.
 * - `delete`: soft-deletes. If there is no row, the outcome is `not-found`, which counts as done.
 *
 * Rows are guarded by (BridgeTerm, BridgeSeq). A row of the same Term with a BridgeSeq at or above
 * `Seq` is left alone (`already-present`), so that applying a list again changes nothing (I8). A row
 * of a later Term is left alone whatever its BridgeSeq (`superseded`).
 */
export type RowMutation = {
  Op: 'insert' | 'write' | 'delete';
  Table: string;
  /** Natural key, with HubID where it is part of it. */
  Key: Row;
  /** Journal Seq of the newest entry folded into it; becomes the row's BridgeSeq. */
  Seq: number;
  /** Term under which the entry was accepted; becomes the row's BridgeTerm. 0 when left out. */
  Term?: number;
  Set: Row;
  /**
   * Columns set only where the row has null, '' or 0. With `insert` they hold values the worker
   * filled in, which are not compared.
   */
  Fill?: Row;
  /** Columns that hold a JSON object as text -> members to merge into it. */
  Merge?: Record<string, JsonObject>;
  /** For the audit trail; left out for the default user. */
  RemoteUser?: string;
};

export const outcomes = [
  'applied',
  'already-present',
  'conflict',
  'not-found',
  'superseded',
  'rejected',
] as const;
export type Outcome = (typeof outcomes)[number];

/** The answer for one mutation; `Reason` explains a conflict or a rejection. */
export type MutationResult = { Outcome: Outcome; Reason?: string };

const settled: ReadonlySet<Outcome> = new Set([
  'applied',
  'already-present',
  'not-found',
  'superseded',
]);

/**
 * True when the entry is done: it, or an equal one, is in the database, or a later owner's row
 * stands in its place.
 */
export function isSettledOutcome(outcome: Outcome): boolean {
  return settled.has(outcome);
}

/**
 * A query for rows of one table, in a form both carriers can send. Terms are joined by AND, the
 * values of a term by OR.
 */
export type RowQuery = {
  Table: string;
  Terms: { Column: string; Values: readonly Scalar[] }[];
  /** Columns to order by; the last one must make the order total. */
  Order: { Column: string; IsDescending: boolean }[];
  /** Only rows after this position in `Order`; one value per column. */
  After?: readonly Scalar[];
  Limit: number;
  /** Return all columns, where a backend may leave some out of a list. */
  IsFull?: true;
};
