/**
 * The control verb `ops`: status and history at once; a run is started, and whoever started it asks
 * how far it is.
 */
import { messageOf, TidemarkError, toRefusal, type Refusal } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { newUuid } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { RunReport } from '../ops/operation.ts';
import type { Operations, RunRequest } from '../ops/operations.ts';

/** How far a run is: lines from a number on, and its report or refusal once it is over. */
export type OpsProgress = {
  Run: string;
  Lines: string[];
  Next: number;
  IsDone: boolean;
  Report: RunReport | null;
  Refusal: Refusal | null;
};

type Run = {
  id: string;
  lines: string[];
  report: RunReport | null;
  refusal: Refusal | null;
  done: Promise<void>;
};

export class ControlOps {
  readonly #operations: Operations;
  readonly #parts: { log: Log; wake: () => void; stop: AbortSignal };
  /** The latest run; the ones before are in the history. */
  #run: Run | null = null;

  constructor(operations: Operations, parts: { log: Log; wake: () => void; stop: AbortSignal }) {
    this.#operations = operations;
    this.#parts = parts;
  }

  /**
   * `{Verb: 'status' | 'history' | 'run' | 'progress' | 'skip', ...}`.
   * @throws TidemarkError INVALID_MESSAGE, NOT_FOUND, CONFLICT
   */
  async handle(body: JsonObject): Promise<unknown> {
    switch (body['Verb'] ?? 'status') {
      case 'status':
        return this.#operations.status();
      case 'history':
        return { Attempts: this.#operations.history(textOf(body, 'ID')) };
      case 'run':
        return this.#start(body);
      case 'progress':
        return this.#progress(textOf(body, 'Run') ?? '', Number(body['From'] ?? 0));
      case 'skip':
        await this.#operations.skip(textOf(body, 'ID') ?? '', {
          reason: textOf(body, 'Reason') ?? '',
          untilMs: Date.parse(textOf(body, 'Until') ?? ''),
          by: 'control',
        });
        return { Success: true };
      default:
        throw new TidemarkError(
          'INVALID_MESSAGE',
          'Verb: expected status, history, run, progress or skip',
        );
    }
  }

  /** Resolves when nothing runs. */
  async ended(): Promise<void> {
    await this.#run?.done;
  }

  /** Answers at once: a run may take longer than any request waits. */
  #start(body: JsonObject): { Success: true; Run: string } {
    const before = this.#run;
    if (before && before.report === null && before.refusal === null)
      throw new TidemarkError('CONFLICT', 'an operation is running; try again when it is done');
    const run: Run = {
      id: newUuid(),
      lines: [],
      report: null,
      refusal: null,
      done: Promise.resolve(),
    };
    const id = textOf(body, 'ID');
    const request: RunRequest = {
      by: 'control',
      say: (line) => void (run.lines.length < limits.operationLinesMax && run.lines.push(line)),
      args: argsOf(body['Args']),
      isDryRun: body['IsDryRun'] === true,
      isAnyOrder: body['IsAnyOrder'] === true,
      stop: this.#parts.stop,
    };
    run.done = (
      id === null ? this.#operations.runPending(request) : this.#operations.runOne(id, request)
    ).then(
      (report) => {
        run.report = report;
        for (const { ID, Result, Error: error } of report.Results)
          this.#parts.log.info(
            { operation: ID, result: Result, error },
            'operation, by an operator',
          );
        this.#parts.wake();
      },
      (error: unknown) => {
        run.refusal = toRefusal(error);
        this.#parts.log.warn({ reason: messageOf(error) }, 'operation refused');
      },
    );
    this.#run = run;
    return { Success: true, Run: run.id };
  }

  #progress(id: string, from: number): OpsProgress {
    const run = this.#run;
    if (run?.id !== id)
      throw new TidemarkError(
        'NOT_FOUND',
        `Run: ${id} is not known here; the worker may have been started anew, see: tidemark ops history`,
      );
    return {
      Run: id,
      Lines: run.lines.slice(from),
      Next: run.lines.length,
      IsDone: run.report !== null || run.refusal !== null,
      Report: run.report,
      Refusal: run.refusal,
    };
  }
}

function textOf(body: JsonObject, name: string): string | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string')
    throw new TidemarkError('INVALID_MESSAGE', `${name}: expected text`);
  return value;
}

function argsOf(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value) || !Object.values(value).every((one) => typeof one === 'string'))
    throw new TidemarkError('INVALID_MESSAGE', 'Args: expected an object of texts');
  return value as Record<string, string>;
}
