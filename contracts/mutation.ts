/**
 * Row mutations: what every write becomes before it leaves for a beacon, and what a beacon answers
 * for each.
 */
import type { JsonObject } from './json-value.ts';
import type { Scalar } from './schema.ts';

/** Column -> value as the database stores it. */
export type Row = Record<string, Scalar>;

/**
 * One change of one row, found by its natural key.
 *
 * - `insert`: insert once. A row already there must say the same in every column of `Set`: then
 *   `already-present`, else `conflict`.
 * - `write`: insert, or overwrite the columns of `Set`, fill those of `Fill` that are empty, merge
 *   `Merge` into JSON text. Brings a soft-deleted row back.
 * - `delete`: soft delete. No row: `not-found`, which is as good as done.
 *
 * A row whose BridgeSeq is at or above `Seq` is left alone (`already-present`): applying a list
 * again changes nothing (I8).
 */
export type RowMutation = {
  Op: 'insert' | 'write' | 'delete';
  Table: string;
  /** Natural key, HubID included where it is part of it. */
  Key: Row;
  /** Journal Seq of the newest entry in it; becomes the row's BridgeSeq. */
  Seq: number;
  Set: Row;
  /**
   * Columns written only where the row has null, '' or 0; with `insert`: what the worker filled in,
   * not compared.
   */
  Fill?: Row;
  /** Columns holding a JSON object as text -> members to put into it. */
  Merge?: Record<string, JsonObject>;
  /** For the audit trail, where it is not the usual one. */
  RemoteUser?: string;
};

export const outcomes = [
  'applied',
  'already-present',
  'conflict',
  'not-found',
  'rejected',
] as const;
export type Outcome = (typeof outcomes)[number];

/** Answer for one mutation; `Reason` says why it is a conflict or was rejected. */
export type MutationResult = { Outcome: Outcome; Reason?: string };

/** True when the entry needs nothing more: it, or its equal, is in the database. */
export function isSettledOutcome(outcome: Outcome): boolean {
  return outcome === 'applied' || outcome === 'already-present' || outcome === 'not-found';
}

/**
 * A query for rows of one table, as both carriers can ask it. Terms are joined by AND, values of a
 * term by OR.
 */
export type RowQuery = {
  Table: string;
  Terms: { Column: string; Values: readonly Scalar[] }[];
  /** Ordering columns; the last one must make the order total. */
  Order: { Column: string; IsDescending: boolean }[];
  /** Only rows behind this position of `Order`, one value each. */
  After?: readonly Scalar[];
  Limit: number;
  /** Rows are wanted with all they hold, where a backend may leave some of it out of a list. */
  IsFull?: true;
};
