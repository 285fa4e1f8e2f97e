/**
 * The maintenance operations of one store: status, history, running pending ones in order or one by
 * id, and skipping.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Store } from '../state/store.ts';
import { Admission, type SkipSettings, waitsFor } from './admission.ts';
import { type Candidate, listOperations } from './files.ts';
import type { BackendRows, OperationResult, Runnable, RunReport, StartedBy } from './operation.ts';
import { OperationRunner } from './runner.ts';
import { shippedOperations } from './shipped.ts';
import { type Standing, standings } from './standing.ts';
import { OperationTable, type Runner } from './table.ts';
import {
  type AttemptView,
  historyOf,
  type OperationsSummary,
  type OperationsView,
  statusOf,
} from './views.ts';

export type OperationsOptions = {
  store: Pick<Store, 'db' | 'paths' | 'assertSameFiles'>;
  hubId: string;
  /** Absolute path of the folder with the operator's files. */
  folder: string;
  host: string;
  version: string;
  skips: SkipSettings;
  clock: Clock;
  /** Null without a worker. */
  backend: BackendRows | null;
};

export type RunRequest = {
  by: StartedBy;
  say: (line: string) => void;
  isDryRun?: boolean;
  args?: Readonly<Record<string, string>>;
  /** Also run those that sort before one already applied. */
  isAnyOrder?: boolean;
  /**
   * Stops at the first operation that is long or needs the backend: for the time before intake is
   * open.
   */
  isQuickOnly?: boolean;
  stop?: AbortSignal;
};

export class Operations {
  readonly #parts: OperationsOptions;
  readonly #table: OperationTable;
  readonly #runner: OperationRunner;
  readonly #admission: Admission;
  #running: string | null = null;
  /** Why the last run of pending operations could not start. */
  #problem: string | null = null;

  constructor(parts: OperationsOptions) {
    this.#parts = parts;
    this.#table = new OperationTable(parts.store.db);
    this.#runner = new OperationRunner({ ...parts, table: this.#table });
    this.#admission = new Admission(parts);
    // We are the store's only writer, so an attempt still marked as running died with its process.
    this.#table.interrupt(parts.clock.nowMs());
  }

  #standings(): Standing[] {
    return standings(
      listOperations(this.#parts.folder),
      this.#table.markers(),
      this.#table.lastAttempts(),
      this.#parts.clock.nowMs(),
    );
  }

  status(): OperationsView {
    const view = statusOf(this.#parts.folder, this.#table, this.#parts.clock.nowMs());
    return { ...view, Problem: view.Problem ?? this.#problem };
  }

  /** For health: never throws. */
  summary(): OperationsSummary {
    try {
      const { Pending, Failed, Skipped, Drift, Problem } = this.status();
      return { Pending, Failed, Skipped, Drift, Problem };
    } catch (error) {
      // Health is asked most when the store is in trouble, so it must not throw.
      return {
        Pending: 0,
        Failed: 0,
        Skipped: 0,
        Drift: 0,
        Problem: `the operations cannot be read: ${messageOf(error)}`,
      };
    }
  }

  /**
   * Attempts, newest first.
   * @throws TidemarkError NOT_FOUND for an id that was never run
   */
  history(id: string | null): AttemptView[] {
    return historyOf(this.#table, id);
  }

  /**
   * Runs pending operations in order until one fails. All are loaded and checked before the first
   * one runs.
   * @throws TidemarkError INVALID_MESSAGE
   */
  runPending(request: RunRequest): Promise<RunReport> {
    return this.#alone('what is pending', async () => {
      try {
        const report = await this.#pending(request);
        this.#problem = null;
        return report;
      } catch (error) {
        this.#problem = messageOf(error);
        throw error;
      }
    });
  }

  /**
   * Runs one operation by its id, shipped or the operator's.
   * @throws TidemarkError NOT_FOUND, INVALID_MESSAGE
   */
  runOne(id: string, request: RunRequest): Promise<RunReport> {
    return this.#alone(id, () => this.#named(id, request));
  }

  async #alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#running !== null)
      throw new TidemarkError(
        'CONFLICT',
        `an operation is running (${this.#running}); retry when it is done`,
      );
    this.#running = what;
    try {
      return await work();
    } finally {
      this.#running = null;
    }
  }

  async #pending(request: RunRequest): Promise<RunReport> {
    const all = this.#standings();
    const open = all.filter((one) => one.state !== 'applied' && one.file);
    const results: OperationResult[] = [];
    if (this.#admission.areAllSkipped()) {
      for (const one of open)
        results.push(
          this.#skipped(
            one.file as Candidate,
            request,
            `TIDEMARK_SKIP_OPS_UNTIL=${isoOf(this.#parts.skips.allUntilMs ?? 0)}`,
          ),
        );
      return { Results: results, NotAttempted: 0, Left: 0 };
    }
    const loaded = await this.#admission.load(open, all);
    const skippedIds = new Set<string>();
    for (const [at, runnable] of loaded.entries()) {
      const standing = open[at] as Standing;
      const why = this.#admission.whySkipped(standing, runnable, skippedIds);
      if (why !== null) {
        skippedIds.add(runnable.id);
        results.push(this.#skipped(runnable, request, why));
        continue;
      }
      const waits = waitsFor(standing, request);
      if (waits !== null) {
        skippedIds.add(runnable.id);
        results.push(resultOf(runnable, waits));
        continue;
      }
      if (request.isQuickOnly && (runnable.operation.isLong || runnable.operation.uses.length > 0))
        return { Results: results, NotAttempted: 0, Left: loaded.length - at };
      const result = await this.#run(runnable, request);
      results.push(result);
      if (result.Result === 'failed' || result.Result === 'interrupted')
        return { Results: results, NotAttempted: loaded.length - at - 1, Left: 0 };
    }
    return { Results: results, NotAttempted: 0, Left: 0 };
  }

  async #named(id: string, request: RunRequest): Promise<RunReport> {
    const shipped = shippedOperations.get(id);
    const runnable = shipped
      ? { type: 'shipped' as const, id, sha256: this.#parts.version, operation: shipped }
      : await this.#own(id, request);
    if (!('operation' in runnable)) return { Results: [runnable], NotAttempted: 0, Left: 0 };
    return { Results: [await this.#run(runnable, request)], NotAttempted: 0, Left: 0 };
  }

  /** The operator's operation with that id, or a result when it must not run. */
  async #own(id: string, request: RunRequest): Promise<Runnable | OperationResult> {
    const { standing, runnable } = await this.#admission.pick(id, this.#standings());
    const why = this.#admission.areAllSkipped()
      ? 'TIDEMARK_SKIP_OPS_UNTIL'
      : this.#admission.whySkipped(standing, runnable, new Set());
    if (why !== null) return this.#skipped(runnable, request, why);
    const waits = waitsFor({ ...standing, sameAs: null }, request);
    return waits === null ? runnable : resultOf(runnable, waits);
  }

  #run(runnable: Runnable, request: RunRequest): Promise<OperationResult> {
    const args = request.args ?? {};
    const unknown = Object.keys(args).filter(
      (name) => !Object.hasOwn(runnable.operation.args, name),
    );
    if (unknown.length > 0) {
      const known = Object.keys(runnable.operation.args).join(', ') || 'none';
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${runnable.id} takes no ${unknown.join(', ')}; its arguments: ${known}`,
      );
    }
    request.say(`${runnable.id}: ${runnable.operation.description}`);
    return this.#runner.run(runnable, {
      runner: this.#runnerOf(request),
      args,
      isDryRun: request.isDryRun ?? false,
      say: request.say,
      backend: this.#parts.backend,
      ...(request.stop ? { stop: request.stop } : {}),
    });
  }

  #runnerOf({ by }: RunRequest): Runner {
    return { by, host: this.#parts.host, pid: process.pid, version: this.#parts.version };
  }

  /** Records that an operation was skipped, and why; the same skip only once per process. */
  #skipped(
    one: Pick<Runnable, 'type' | 'id' | 'sha256'>,
    request: RunRequest,
    why: string,
  ): OperationResult {
    const nowMs = this.#parts.clock.nowMs();
    const last = this.#table
      .lastAttempts()
      .find((attempt) => attempt.type === one.type && attempt.operation === one.id);
    const isKnown = last?.result === 'skipped' && last.note === why && last.pid === process.pid;
    if (!request.isDryRun && !isKnown)
      this.#table.end(this.#table.start(one, this.#runnerOf(request), nowMs), {
        result: 'skipped',
        changes: 0,
        note: why,
        error: null,
        nowMs,
      });
    return resultOf(one, why);
  }

  /**
   * Skips an operation until a time, after which it is pending again.
   * @throws TidemarkError INVALID_MESSAGE, NOT_FOUND
   */
  async skip(
    id: string,
    { reason, untilMs, by }: { reason: string; untilMs: number; by: StartedBy },
  ): Promise<void> {
    const skip = { reason, untilMs, nowMs: this.#parts.clock.nowMs() };
    const runnable = await this.#admission.skippable(id, this.#standings(), skip);
    this.#table.mark({
      ...this.#runnerOf({ by, say: () => {} }),
      type: 'operator',
      id,
      sha256: runnable.sha256,
      title: runnable.operation.description,
      state: 'skipped',
      startedMs: skip.nowMs,
      endedMs: skip.nowMs,
      changes: 0,
      note: reason,
      untilMs,
    });
  }
}

function resultOf({ type, id }: Pick<Runnable, 'type' | 'id'>, why: string): OperationResult {
  return {
    Type: type,
    ID: id,
    Result: 'skipped',
    Steps: 0,
    Changes: 0,
    DurationMs: 0,
    Note: why,
    Error: null,
  };
}
