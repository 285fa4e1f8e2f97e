/**
 * Runs the operator's operations inside a worker: the pending ones at its start, the long ones
 * while it accepts writes already.
 */
import { messageOf } from '../../contracts/errors.ts';
import { type Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { ControlOps } from '../operators/control-ops.ts';
import type { BackendRows, RunReport } from '../ops/operation.ts';
import type { SkipSettings } from '../ops/admission.ts';
import { Operations } from '../ops/operations.ts';
import type { OperationsSummary } from '../ops/views.ts';
import type { Store } from '../state/store.ts';

/** The folder of the operator's operations, and which of them are skipped. */
export type MaintenanceSettings = { folder: string; host: string; skips: SkipSettings };

export type MaintenanceOptions = {
  store: Store;
  hubId: string;
  version: string;
  clock: Clock;
  log: Log;
  backend: BackendRows;
  /** Called when operations may have released entries for delivery. */
  wake: () => void;
};

export class Maintenance {
  readonly control: ControlOps;
  readonly #operations: Operations;
  readonly #parts: MaintenanceOptions;
  readonly #stop = new AbortController();
  #isHeldUp = false;
  #work: Promise<void> = Promise.resolve();

  constructor(settings: MaintenanceSettings, parts: MaintenanceOptions) {
    this.#parts = parts;
    this.#operations = new Operations({
      ...settings,
      store: parts.store,
      hubId: parts.hubId,
      version: parts.version,
      clock: parts.clock,
      backend: parts.backend,
    });
    this.control = new ControlOps(this.#operations, {
      log: parts.log,
      wake: parts.wake,
      stop: this.#stop.signal,
    });
  }

  /**
   * Call it before intake opens: runs the short operations in order, up to the first long one. A
   * failed operation does not keep intake closed.
   */
  async beforeIntake(): Promise<void> {
    const report = await this.#pending(true);
    this.#isHeldUp = report === null || report.Left === 0;
  }

  /** Call it once intake is open: runs the rest in the background. */
  start(): void {
    if (!this.#isHeldUp) this.#work = this.#pending(false).then(() => this.#parts.wake());
  }

  /** Ends a long operation between two steps. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#work, this.control.ended()]);
  }

  summary(): OperationsSummary {
    return this.#operations.summary();
  }

  async #pending(isQuickOnly: boolean): Promise<RunReport | null> {
    const { log } = this.#parts;
    try {
      const report = await this.#operations.runPending({
        by: 'boot',
        say: (line) => log.info({}, line),
        isQuickOnly,
        stop: this.#stop.signal,
      });
      for (const { ID, Result, DurationMs, Note, Error: error } of report.Results) {
        const about = { operation: ID, result: Result, ms: DurationMs, note: Note };
        if (Result === 'failed')
          log.error(
            { ...about, error, notAttempted: report.NotAttempted },
            `operation failed; ${report.NotAttempted} not attempted`,
          );
        else if (Result === 'skipped') log.warn(about, 'operation skipped');
        else log.info(about, 'operation');
      }
      return report;
    } catch (error) {
      log.error(
        { reason: messageOf(error) },
        'operations cannot be run; the worker goes on without them',
      );
      return null;
    }
  }
}
