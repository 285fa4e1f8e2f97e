/**
 * What a maintenance operation is: a description, and work in one step or many, each in one
 * transaction with its marker.
 */
import type { Connection } from '../state/connection.ts';
import type { KnownRow } from '../../bridges/read-merge.ts';
import type { RowQuery } from '../../contracts/mutation.ts';
import type { Lane } from '../../contracts/subjects.ts';

/** Reads rows of a lane's assigned database; null while it is away. */
export type BackendRows = (lane: Lane, query: RowQuery) => Promise<KnownRow[] | null>;

type Surroundings = {
  hubId: string;
  /** What was given with `--set name=value`. */
  args: Readonly<Record<string, string>>;
  nowMs: number;
  /** A line for whoever started it. */
  say: (line: string) => void;
};

/**
 * For a step. `db` is inside the transaction that keeps the marker; nothing here reaches the
 * network.
 */
export type OperationContext = Surroundings & {
  db: Connection;
  /** What `prepare` of this step resolved with. */
  prepared: unknown;
};

/** For looking things up ahead of a step, outside any transaction: `db` only reads. */
export type PrepareContext = Surroundings & { db: Connection; backend: BackendRows };

/** How far a step came: `cursor` is given to the next one, null is the end. */
export type Step = { cursor: string | null; note?: string };

export type Operation = {
  description: string;
  /** May be left out by its flag or by `ops skip`. */
  isSkippable: boolean;
  /** Ids that come before it; skipped when one of them is. */
  requires: readonly string[];
  /** What it needs beside the store; checked before anything runs. */
  uses: readonly Ability[];
  /** Arguments it knows, and what they mean. */
  args: Readonly<Record<string, string>>;
  /** Works in more than one step, so it never runs before intake is open. */
  isLong: boolean;
  /**
   * For the few statements SQLite refuses inside a transaction: effects first, then the marker; a
   * crash between repeats it.
   */
  isOutside: boolean;
  prepare?: (context: PrepareContext, cursor: string | null) => Promise<unknown>;
  step: (context: OperationContext, cursor: string | null) => Step;
};

/** `backend`: reading the assigned database, which only a running worker can. */
export const abilities = ['backend'] as const;
export type Ability = (typeof abilities)[number];

/** `operator`: a file of the operator's, once. `shipped`: ours, by name, any number of times. */
export type OperationType = 'operator' | 'shipped';

/** An operation that can be run. */
export type Runnable = { type: OperationType; id: string; sha256: string; operation: Operation };

/** Who started it. */
export type StartedBy = 'boot' | 'cli' | 'control';

/**
 * What became of one: `raced` when somebody else applied it meanwhile, `rolled_back` after a dry
 * run, `interrupted` at the end of the process.
 */
export type ResultKind = 'applied' | 'raced' | 'skipped' | 'failed' | 'rolled_back' | 'interrupted';

export type RowChanges = Record<string, { Inserted: number; Updated: number; Deleted: number }>;

export type OperationResult = {
  Type: OperationType;
  ID: string;
  Result: ResultKind;
  Steps: number;
  /** Rows touched. */
  Changes: number;
  DurationMs: number;
  Note: string | null;
  Error: string | null;
  /** Of a dry run: rows by table. */
  Tables?: RowChanges;
};

/**
 * One run over one or many. `NotAttempted` come behind one that failed, `Left` have to wait for
 * something else.
 */
export type RunReport = { Results: OperationResult[]; NotAttempted: number; Left: number };

/** Fills what an operation of ours leaves unsaid. */
export function shippedOperation(
  of: Pick<Operation, 'description' | 'step'> & Partial<Operation>,
): Operation {
  return {
    isSkippable: false,
    requires: [],
    uses: [],
    args: {},
    isLong: true,
    isOutside: false,
    ...of,
  };
}
