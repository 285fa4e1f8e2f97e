/**
 * What a maintenance operation is: a description, and work in one or more steps. Each step is one
 * transaction together with its marker.
 */
import type { Connection } from '../state/connection.ts';
import type { KnownRow } from '../../bridges/read-merge.ts';
import type { RowQuery } from '../../contracts/mutation.ts';
import type { Lane } from '../../contracts/subjects.ts';

/** Reads rows of a lane's assigned database; null while the database is away. */
export type BackendRows = (lane: Lane, query: RowQuery) => Promise<KnownRow[] | null>;

type Surroundings = {
  hubId: string;
  /** Given with `--set name=value`. */
  args: Readonly<Record<string, string>>;
  nowMs: number;
  /** Shows a line to whoever started the operation. */
  say: (line: string) => void;
};

/**
 * What a step gets. `db` is inside the transaction that writes the marker; nothing here uses the
 * network.
 */
export type OperationContext = Surroundings & {
  db: Connection;
  /** The result of `prepare` for this step. */
  prepared: unknown;
};

/** What `prepare` gets, for reading ahead of a step outside any transaction; `db` is read-only. */
export type PrepareContext = Surroundings & { db: Connection; backend: BackendRows };

/** The result of a step: `cursor` is passed to the next step, null ends the operation. */
export type Step = { cursor: string | null; note?: string };

export type Operation = {
  description: string;
  /** Whether its flag or `ops skip` may skip it. */
  isSkippable: boolean;
  /** Ids of operations that must be applied before it. It is skipped when one of them is. */
  requires: readonly string[];
  /** What it needs besides the store; checked before anything runs. */
  uses: readonly Ability[];
  /** The arguments it accepts, with their meaning. */
  args: Readonly<Record<string, string>>;
  /** Has more than one step, so it never runs before intake is open. */
  isLong: boolean;
  /**
   * For the few statements that SQLite refuses inside a transaction: the effects come first, then
   * the marker. A crash in between repeats them.
   */
  isOutside: boolean;
  prepare?: (context: PrepareContext, cursor: string | null) => Promise<unknown>;
  step: (context: OperationContext, cursor: string | null) => Step;
};

/** `backend`: reads the assigned database, which only a running worker can. */
export const abilities = ['backend'] as const;
export type Ability = (typeof abilities)[number];

/**
 * `operator`: a file of the operator's, applied once. `shipped`: ours, run by name any number of
 * times.
 */
export type OperationType = 'operator' | 'shipped';

export type Runnable = { type: OperationType; id: string; sha256: string; operation: Operation };

export type StartedBy = 'boot' | 'cli' | 'control';

/**
 * The outcome of one operation: `raced` when another run applied it meanwhile, `rolled_back` after
 * a dry run, `interrupted` when the process ended.
 */
export type ResultKind = 'applied' | 'raced' | 'skipped' | 'failed' | 'rolled_back' | 'interrupted';

export type RowChanges = Record<string, { Inserted: number; Updated: number; Deleted: number }>;

export type OperationResult = {
  Type: OperationType;
  ID: string;
  Result: ResultKind;
  Steps: number;
  /** Rows changed. */
  Changes: number;
  DurationMs: number;
  Note: string | null;
  Error: string | null;
  /** Rows per table, for a dry run. */
  Tables?: RowChanges;
};

/**
 * The outcome of a run. `NotAttempted` counts the operations after one that failed, `Left` those
 * that must wait until intake is open.
 */
export type RunReport = { Results: OperationResult[]; NotAttempted: number; Left: number };

/** Fills in the defaults of a shipped operation. */
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
