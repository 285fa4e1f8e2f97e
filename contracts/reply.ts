/** Replies of the worker to a hub. */
import type { Refusal } from './errors.ts';
import type { JsonValue } from './body/json-value.ts';

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

/** The answer to a read; its payload (`WorkItem`, `Events`, ...) is a further member. */
export type ReadReply = {
  Available: true;
  Success: true;
  Source: ReadSource;
  AsOf: string;
  /** Opaque; send it as `Filter.After` to get the next page. */
  Next?: string;
  /**
   * Answered from the journal alone, after it was stripped of older writes that the database has:
   * rows, or fields of a row, may be missing.
   */
  Partial?: boolean;
} & Record<string, JsonValue | undefined>;

export type BatchReply = { Success: boolean; Results: (WriteReply | Refusal)[] };
