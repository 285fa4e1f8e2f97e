/**
 * Runs one operation. Each step is one transaction with its effects and either its marker or its
 * cursor.
 *
 * Constraints: the marker is read again under the write lock, so that only one of several runners
 * applies the operation; a step is synchronous and has no network. Ordering: record the attempt,
 * commit the step with its marker, check the files, report it as applied. Failure: a failing step
 * is rolled back; earlier steps stay, and the next run continues from their cursor.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, nextTurn } from '../../runtime/clock.ts';
import { type Connection, openReadOnly } from '../state/connection.ts';
import type { Store } from '../state/store.ts';
import type {
  BackendRows,
  OperationContext,
  OperationResult,
  PrepareContext,
  ResultKind,
  Runnable,
  Step,
} from './operation.ts';
import { countChangedRows } from './row-counts.ts';
import type { OperationTable, Runner } from './table.ts';

export type RunnerOptions = {
  store: Pick<Store, 'db' | 'paths' | 'assertSameFiles'>;
  hubId: string;
  table: OperationTable;
  clock: Clock;
};

export type RunOrder = {
  runner: Runner;
  args: Readonly<Record<string, string>>;
  isDryRun: boolean;
  say: (line: string) => void;
  backend: BackendRows | null;
  /** Stops a long operation between two steps. */
  stop?: AbortSignal;
};

/** The state of one running operation. */
type Run = RunOrder & {
  runnable: Runnable;
  argsText: string;
  attempt: number;
  startedMs: number;
  steps: number;
  changes: number;
  reader: Connection | null;
};

type Ended = { kind: ResultKind; note: string | null };

export class OperationRunner {
  readonly #parts: RunnerOptions;

  constructor(parts: RunnerOptions) {
    this.#parts = parts;
  }

  /** Runs an operation to its end. Never throws: a failure is a result. */
  async run(runnable: Runnable, order: RunOrder): Promise<OperationResult> {
    const { table, clock, store } = this.#parts;
    const startedMs = clock.nowMs();
    const run: Run = {
      ...order,
      runnable,
      argsText: JSON.stringify(order.args, Object.keys(order.args).sort()),
      startedMs,
      steps: 0,
      changes: 0,
      reader: null,
      attempt: table.start(runnable, order.runner, startedMs),
    };
    const result = { Type: runnable.type, ID: runnable.id };
    try {
      if (order.isDryRun) {
        const tried = await this.#try(run);
        this.#end(run, 'rolled_back', tried.note, null);
        return {
          ...result,
          ...this.#figures(run),
          Result: 'rolled_back',
          Note: tried.note,
          Error: null,
          Tables: tried.tables,
        };
      }
      const { kind, note } = await this.#steps(run);
      // Not applied while its effects may be in a file that nobody will read again.
      store.assertSameFiles();
      return { ...result, ...this.#figures(run), Result: kind, Note: note, Error: null };
    } catch (thrown) {
      const error = messageOf(thrown);
      this.#end(run, 'failed', null, error);
      return { ...result, ...this.#figures(run), Result: 'failed', Note: null, Error: error };
    } finally {
      run.reader?.close();
    }
  }

  #figures({ steps, changes, startedMs }: Run) {
    return { Steps: steps, Changes: changes, DurationMs: this.#parts.clock.nowMs() - startedMs };
  }

  #end(run: Run, result: ResultKind, note: string | null, error: string | null): void {
    this.#parts.table.end(run.attempt, {
      result,
      changes: run.changes,
      note,
      error,
      nowMs: this.#parts.clock.nowMs(),
    });
  }

  async #steps(run: Run): Promise<Ended> {
    const { table } = this.#parts;
    for (;;) {
      const before = table.progress(run.runnable, run.argsText);
      const prepared = await this.#prepare(run, before?.cursor ?? null);
      const ended = this.#step(run, before?.cursor ?? null, prepared);
      if (ended) return ended;
      if (run.stop?.aborted) {
        this.#end(run, 'interrupted', null, null);
        return {
          kind: 'interrupted',
          note: 'the process is ending; the next start continues from here',
        };
      }
      await nextTurn();
    }
  }

  /** Runs one step and saves its cursor or marker; null when more steps follow. */
  #step(run: Run, cursor: string | null, prepared: unknown): Ended | null {
    const { runnable } = run;
    if (!runnable.operation.isOutside)
      return this.#transact(() =>
        this.#stepInside(run, cursor, () => this.#callInside(run, cursor, prepared)),
      );
    const step = this.#call(run, cursor, prepared);
    return this.#transact(() => this.#stepInside(run, cursor, () => step));
  }

  #transact<T>(work: () => T): T {
    return this.#parts.store.db.transaction(work).immediate();
  }

  #stepInside(run: Run, cursor: string | null, call: () => Step): Ended | null {
    const { table, clock, store } = this.#parts;
    const { runnable, argsText } = run;
    if (runnable.type === 'operator' && table.isApplied(runnable.type, runnable.id))
      return this.#raced(run);
    const before = table.progress(runnable, argsText);
    if ((before?.cursor ?? null) !== cursor) return this.#raced(run);
    const touched = () => Number(store.db.prepare('select total_changes()').pluck().get());
    const touchedBefore = touched();
    const step = call();
    run.steps = (before?.steps ?? 0) + 1;
    run.changes = (before?.changes ?? 0) + touched() - touchedBefore;
    if (step.note) run.say(step.note);
    if (step.cursor !== null) {
      table.saveProgress(
        runnable,
        argsText,
        { cursor: step.cursor, steps: run.steps, changes: run.changes },
        clock.nowMs(),
      );
      return null;
    }
    table.clearProgress(runnable);
    const note = step.note ?? null;
    table.mark({
      ...run.runner,
      type: runnable.type,
      id: runnable.id,
      sha256: runnable.sha256,
      title: runnable.operation.description,
      state: 'applied',
      startedMs: run.startedMs,
      endedMs: clock.nowMs(),
      changes: run.changes,
      note,
      untilMs: null,
    });
    this.#end(run, 'applied', note, null);
    return { kind: 'applied', note };
  }

  #raced(run: Run): Ended {
    const note = 'another run applied it meanwhile';
    this.#end(run, 'raced', note, null);
    return { kind: 'raced', note };
  }

  #callInside(run: Run, cursor: string | null, prepared: unknown): Step {
    const step = this.#call(run, cursor, prepared);
    if (!this.#parts.store.db.inTransaction)
      throw new TidemarkError(
        'INTERNAL',
        'it ended the transaction that its marker belongs to; its changes up to then stay',
      );
    return step;
  }

  #call(run: Run, cursor: string | null, prepared: unknown): Step {
    const { store, hubId, clock } = this.#parts;
    const context: OperationContext = {
      db: store.db,
      hubId,
      args: run.args,
      nowMs: clock.nowMs(),
      say: run.say,
      prepared,
    };
    return run.runnable.operation.step(context, cursor);
  }

  async #prepare(run: Run, cursor: string | null): Promise<unknown> {
    const { prepare, uses } = run.runnable.operation;
    if (uses.includes('backend') && !run.backend)
      throw new TidemarkError(
        'UNAVAILABLE',
        `${run.runnable.id} reads the database: it needs a running worker`,
      );
    if (!prepare || !run.backend) return undefined;
    const { store, hubId, clock } = this.#parts;
    run.reader ??= openReadOnly(store.paths.db);
    const context: PrepareContext = {
      db: run.reader,
      hubId,
      args: run.args,
      nowMs: clock.nowMs(),
      say: run.say,
      backend: run.backend,
    };
    return prepare(context, cursor);
  }

  /** Executes the operation and rolls everything back; stops a long one after a time limit. */
  async #try(run: Run) {
    const { store, clock } = this.#parts;
    const { operation, id } = run.runnable;
    if (operation.isOutside)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `${id} works outside a transaction, so it has no dry run`,
      );
    let cursor: string | null = null;
    const prepared = await this.#prepare(run, cursor);
    const startedMs = clock.monotonicMs();
    store.db.exec('begin immediate');
    try {
      const counted = countChangedRows(store.db);
      let note: string | null = null;
      do {
        const step = this.#callInside(run, cursor, prepared);
        run.steps += 1;
        note = step.note ?? note;
        cursor = step.cursor;
      } while (
        cursor !== null &&
        !operation.prepare &&
        clock.monotonicMs() - startedMs < limits.operationDryRunMs
      );
      const tables = counted();
      run.changes = Object.values(tables).reduce(
        (sum, rows) => sum + rows.Inserted + rows.Updated + rows.Deleted,
        0,
      );
      return {
        tables,
        note: cursor === null ? note : `only the first ${run.steps} steps were tried`,
      };
    } finally {
      if (store.db.inTransaction) store.db.exec('rollback');
    }
  }
}
