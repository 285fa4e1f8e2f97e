/** Replies of the worker to a hub. */
import type { Refusal } from './errors.ts';
import type { JsonValue } from './json-value.ts';

/**
 * Sent only after the journal commit is synced to disk; `applied` once the backend has the write.
 */
export type WriteReply = {
  Available: true;
  Success: true;
  Durability: 'synced' | 'applied';
  Seq: number;
  EventGUID: string;
  Duplicate: boolean;
  /** Why the reply says `synced` although the sender waited for `applied`. */
  Reason?: string;
};

export type ReadSource = 'beacon' | 'merged' | 'journal';

/** A read's answer; the payload member (`WorkItem`, `Events`, ...) stands beside these. */
export type ReadReply = {
  Available: true;
  Success: true;
  Source: ReadSource;
  AsOf: string;
  /** Opaque; give it as `Filter.After` to get the page behind this one. */
  Next?: string;
  /**
   * From the journal alone, after it has given up older writes that the database still has: rows,
   * or fields of a row, may lack.
   */
  Partial?: boolean;
} & Record<string, JsonValue | undefined>;

export type BatchReply = { Success: boolean; Results: (WriteReply | Refusal)[] };
