/**
 * Maintenance of one store: what is there, running what is pending in order, one by name, skipping,
 * and what was done.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Store } from '../state/store.ts';
import { type Candidate, flagOf, listOperations, loadOperations } from './files.ts';
import type { BackendRows, OperationResult, Runnable, RunReport, StartedBy } from './operation.ts';
import { OperationRunner } from './runner.ts';
import { shippedOperations } from './shipped.ts';
import {
  type AttemptView,
  attemptView,
  isSkipInForce,
  type OperationView,
  type Standing,
  standings,
  viewOf,
} from './standing.ts';
import { OperationTable, type Runner } from './table.ts';

/** What the environment leaves out: flags of single operations, and all of them until a time. */
export type SkipSettings = { flags: readonly string[]; allUntilMs: number | null };

export type OperationsOptions = {
  store: Pick<Store, 'db' | 'paths' | 'assertSameFiles'>;
  hubId: string;
  /** Absolute folder of the operator's files. */
  folder: string;
  host: string;
  version: string;
  skips: SkipSettings;
  clock: Clock;
  /** Null where there is no worker around it. */
  backend: BackendRows | null;
};

export type RunRequest = {
  by: StartedBy;
  say: (line: string) => void;
  isDryRun?: boolean;
  args?: Readonly<Record<string, string>>;
  /** Late ones too. */
  isAnyOrder?: boolean;
  /**
   * Leaves long ones, and those that need the backend, and what comes behind them: for the time
   * before intake is open.
   */
  isQuickOnly?: boolean;
  stop?: AbortSignal;
};

export type OperationsSummary = {
  Pending: number;
  Failed: number;
  Skipped: number;
  Drift: number;
  Problem: string | null;
};

export type OperationsView = {
  Folder: string;
  Operations: OperationView[];
  Shipped: {
    ID: string;
    Title: string;
    Args: Readonly<Record<string, string>>;
    LastResult: string | null;
    LastAt: string | null;
    LastNote: string | null;
    LastError: string | null;
  }[];
} & OperationsSummary;

export class Operations {
  readonly #parts: OperationsOptions;
  readonly #table: OperationTable;
  readonly #runner: OperationRunner;
  #running: string | null = null;
  /** Why the last run over what is pending could not begin. */
  #problem: string | null = null;

  constructor(parts: OperationsOptions) {
    this.#parts = parts;
    this.#table = new OperationTable(parts.store.db);
    this.#runner = new OperationRunner({ ...parts, table: this.#table });
    // Whoever has the store open for writing is the only one; what still "runs" died with its
    // process.
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
      // Health is asked most when the store is in trouble.
      return {
        Pending: 0,
        Failed: 0,
        Skipped: 0,
        Drift: 0,
        Problem: `operations cannot be looked at: ${messageOf(error)}`,
      };
    }
  }

  /** Attempts, newest first. @throws TidemarkError NOT_FOUND for an id nobody ever ran */
  history(id: string | null): AttemptView[] {
    return historyOf(this.#table, id);
  }

  /**
   * Runs what is pending, in order, until one fails. All are loaded and checked before the first
   * runs.
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
   * Runs one by its id, shipped or the operator's.
   * @throws TidemarkError NOT_FOUND, INVALID_MESSAGE
   */
  runOne(id: string, request: RunRequest): Promise<RunReport> {
    return this.#alone(id, () => this.#named(id, request));
  }

  async #alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#running !== null)
      throw new TidemarkError(
        'CONFLICT',
        `an operation is running (${this.#running}); try again when it is done`,
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
    if (this.#areAllSkipped()) {
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
    const loaded = await this.#load(open, all);
    const skippedIds = new Set<string>();
    for (const [at, runnable] of loaded.entries()) {
      const standing = open[at] as Standing;
      const why = this.#whySkipped(standing, runnable, skippedIds);
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

  /**
   * @throws TidemarkError INVALID_MESSAGE when one of them cannot be loaded, or requires what is
   * not there or sorts behind it
   */
  async #load(open: readonly Standing[], all: readonly Standing[]): Promise<Runnable[]> {
    const loaded = await loadOperations(open.map((one) => one.file as Candidate));
    const known = new Set(all.map((one) => one.id));
    for (const { id, operation } of loaded) {
      if (shippedOperations.has(id))
        throw new TidemarkError(
          'INVALID_MESSAGE',
          `operation ${id} has the name of a shipped one; rename its file`,
        );
      for (const required of operation.requires) {
        if (!known.has(required))
          throw new TidemarkError(
            'INVALID_MESSAGE',
            `operation ${id} requires ${required}, which is not there`,
          );
        if (required >= id)
          throw new TidemarkError(
            'INVALID_MESSAGE',
            `operation ${id} requires ${required}, which comes behind it; rename one`,
          );
      }
    }
    return loaded;
  }

  #areAllSkipped(): boolean {
    return (this.#parts.skips.allUntilMs ?? 0) > this.#parts.clock.nowMs();
  }

  /**
   * Why an operation is skipped, on somebody's word or with one it requires; null when it is not.
   */
  #whySkipped(
    { id, marker }: Standing,
    { operation }: Runnable,
    skippedIds: ReadonlySet<string>,
  ): string | null {
    const parent = operation.requires.find((one) => skippedIds.has(one));
    if (parent !== undefined) return `it requires ${parent}, which is skipped`;
    if (isSkipInForce(marker, this.#parts.clock.nowMs()))
      return `${marker?.note ?? ''} (until ${isoOf(marker?.untilMs ?? 0)})`;
    const flag = flagOf(id);
    return operation.isSkippable && this.#parts.skips.flags.includes(flag)
      ? `TIDEMARK_SKIP_OP_${flag}=1`
      : null;
  }

  async #named(id: string, request: RunRequest): Promise<RunReport> {
    const shipped = shippedOperations.get(id);
    const runnable = shipped
      ? { type: 'shipped' as const, id, sha256: this.#parts.version, operation: shipped }
      : await this.#own(id, request);
    if (!('operation' in runnable)) return { Results: [runnable], NotAttempted: 0, Left: 0 };
    return { Results: [await this.#run(runnable, request)], NotAttempted: 0, Left: 0 };
  }

  /** The operator's operation of that id, or what became of it without running. */
  async #own(id: string, request: RunRequest): Promise<Runnable | OperationResult> {
    const all = this.#standings();
    const standing = all.find((one) => one.id === id);
    if (!standing?.file)
      throw new TidemarkError(
        'NOT_FOUND',
        `there is no operation ${id}; shipped ones are ` +
          `${[...shippedOperations.keys()].join(', ')}, others come from ${this.#parts.folder}`,
      );
    if (standing.state === 'applied')
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} was applied ${isoOf(standing.marker?.endedMs ?? 0)} by ` +
          `${standing.marker?.by}; a change needs a new operation`,
      );
    const [runnable] = await this.#load([standing], all);
    const open = new Set(all.filter((one) => one.state !== 'applied').map((one) => one.id));
    const missing = runnable?.operation.requires.find((one) => open.has(one));
    if (missing !== undefined)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} requires ${missing}, which is not applied`,
      );
    const why = this.#areAllSkipped()
      ? 'TIDEMARK_SKIP_OPS_UNTIL'
      : this.#whySkipped(standing, runnable as Runnable, new Set());
    if (why !== null) return this.#skipped(runnable as Runnable, request, why);
    const waits = waitsFor({ ...standing, sameAs: null }, request);
    return waits === null ? (runnable as Runnable) : resultOf(runnable as Runnable, waits);
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

  /** Nothing ran; that it was skipped, why and on whose machine is kept. */
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
   * Leaves an operation out until a time; it comes back by itself.
   * @throws TidemarkError INVALID_MESSAGE, NOT_FOUND
   */
  async skip(
    id: string,
    { reason, untilMs, by }: { reason: string; untilMs: number; by: StartedBy },
  ): Promise<void> {
    const nowMs = this.#parts.clock.nowMs();
    const all = this.#standings();
    const standing = all.find((one) => one.id === id && one.file);
    if (!standing)
      throw new TidemarkError('NOT_FOUND', `there is no operation ${id} in ${this.#parts.folder}`);
    if (standing.state === 'applied')
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} is applied; there is nothing to skip`,
      );
    if (reason.trim() === '') throw new TidemarkError('INVALID_MESSAGE', 'a skip needs a reason');
    if (!(untilMs > nowMs))
      throw new TidemarkError(
        'INVALID_MESSAGE',
        'a skip needs a time in the future at which it ends',
      );
    const [runnable] = await this.#load([standing], all);
    if (!runnable?.operation.isSkippable)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} is not skippable; its file says so with: export const isSkippable = true`,
      );
    this.#table.mark({
      ...this.#runnerOf({ by, say: () => {} }),
      type: 'operator',
      id,
      sha256: runnable.sha256,
      title: runnable.operation.description,
      state: 'skipped',
      startedMs: nowMs,
      endedMs: nowMs,
      changes: 0,
      note: reason,
      untilMs,
    });
  }
}

/** What keeps a pending operation from running by itself; null when nothing does. */
function waitsFor({ lateBehind, sameAs, id }: Standing, { isAnyOrder }: RunRequest): string | null {
  if (sameAs !== null)
    return (
      `it has the content of ${sameAs}, which was applied: a new name of the same? To run ` +
      `it nevertheless: tidemark ops run ${id}`
    );
  if (lateBehind !== null && !isAnyOrder)
    return `it comes before ${lateBehind}, which is applied already; to run it nevertheless: --allow-out-of-order`;
  return null;
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

/**
 * How everything stands, from any connection to a store; a folder that cannot be read is told as
 * its problem.
 */
export function statusOf(folder: string, table: OperationTable, nowMs: number): OperationsView {
  const attempts = table.lastAttempts();
  const { files, problem } = filesOf(folder);
  const views = standings(files, table.markers(), attempts, nowMs).map(viewOf);
  const count = (isSo: (view: OperationView) => boolean) => views.filter(isSo).length;
  const shipped = [...shippedOperations].map(([id, { description, args }]) => {
    const last = attempts.find((one) => one.type === 'shipped' && one.operation === id);
    return {
      ID: id,
      Title: description,
      Args: args,
      LastResult: last?.result ?? null,
      LastAt: last ? isoOf(last.startedMs) : null,
      LastNote: last?.note ?? null,
      LastError: last?.error ?? null,
    };
  });
  return {
    Folder: folder,
    Operations: views,
    Shipped: shipped,
    Pending: count(({ State }) => State === 'pending'),
    Failed: count(({ State }) => State === 'failed'),
    Skipped: count(({ State }) => State === 'skipped'),
    Drift: count(({ IsDrifted, SameAs }) => IsDrifted || SameAs !== null),
    Problem: problem,
  };
}

/** @throws TidemarkError NOT_FOUND for an id nobody ever ran */
export function historyOf(table: OperationTable, id: string | null): AttemptView[] {
  const attempts = table.attempts(id);
  if (id !== null && attempts.length === 0)
    throw new TidemarkError('NOT_FOUND', `operation ${id} was never run here`);
  return attempts.map(attemptView);
}

function filesOf(folder: string): { files: Candidate[]; problem: string | null } {
  try {
    return { files: listOperations(folder), problem: null };
  } catch (error) {
    return { files: [], problem: messageOf(error) };
  }
}
