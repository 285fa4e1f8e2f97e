/** The operation tables of the store: markers, attempts, and the progress of long operations. */
import { limits } from '../../contracts/limits.ts';
import type { Connection } from '../state/connection.ts';
import type { OperationType, ResultKind, Runnable, StartedBy } from './operation.ts';

/** Who ran an operation; recorded with everything it does. */
export type Runner = { by: StartedBy; host: string; pid: number; version: string };

/**
 * An operation that is applied, or skipped until a time. Marks moved by an operator are recorded
 * here too.
 */
export type MarkerRow = {
  type: OperationType | 'hwm-set';
  id: string;
  sha256: string;
  title: string;
  state: 'applied' | 'skipped';
  by: string;
  host: string;
  pid: number;
  version: string;
  startedMs: number;
  endedMs: number;
  changes: number;
  note: string | null;
  untilMs: number | null;
};

export type AttemptRow = {
  id: number;
  type: OperationType;
  operation: string;
  sha256: string;
  result: ResultKind | 'running';
  by: string;
  host: string;
  pid: number;
  version: string;
  startedMs: number;
  endedMs: number | null;
  changes: number;
  note: string | null;
  error: string | null;
};

export type ProgressRow = { cursor: string; steps: number; changes: number };

export type Ending = {
  result: ResultKind;
  changes: number;
  note: string | null;
  error: string | null;
  nowMs: number;
};

const runnerColumns =
  'applied_by as "by", host, pid, app_version as version, ' +
  'started_ms as startedMs, ended_ms as endedMs, changes, note';
const markerColumns = `type, id, sha256, title, state, ${runnerColumns}, until_ms as untilMs`;
const attemptColumns = `id, type, operation, sha256, result, ${runnerColumns}, error`;

function lookupsOf(db: Connection) {
  return {
    isApplied: db.prepare<[string, string]>(
      "select 1 from operation where type = ? and id = ? and state = 'applied'",
    ),
    markers: db.prepare<[], MarkerRow>(`select ${markerColumns} from operation order by type, id`),
    attempts: db.prepare<[{ operation: string | null; limit: number }], AttemptRow>(
      `select ${attemptColumns} from operation_attempt ` +
        'where @operation is null or operation = @operation order by id desc limit @limit',
    ),
    // Dry runs, and runs that lost a race, say nothing about an operation's standing.
    last: db.prepare<[], AttemptRow>(
      `select ${attemptColumns} from operation_attempt where id in ` +
        '(select max(id) from operation_attempt ' +
        "where result not in ('rolled_back', 'raced') group by type, operation)",
    ),
    progress: db.prepare<[string, string, string], ProgressRow>(
      'select cursor, steps, changes from operation_progress where type = ? and id = ? and args = ?',
    ),
  };
}

function changesOf(db: Connection) {
  return {
    mark: db.prepare(
      'insert into operation values (@type, @id, @sha256, @title, @state, @by, @host, @pid, ' +
        '@version, @startedMs, @endedMs, @changes, @note, @untilMs) ' +
        'on conflict (type, id) do update set sha256 = excluded.sha256, title = excluded.title, ' +
        'state = excluded.state, applied_by = excluded.applied_by, host = excluded.host, ' +
        'pid = excluded.pid, app_version = excluded.app_version, ' +
        'started_ms = excluded.started_ms, ended_ms = excluded.ended_ms, ' +
        'changes = excluded.changes, note = excluded.note, until_ms = excluded.until_ms',
    ),
    start: db.prepare(
      'insert into operation_attempt (type, operation, sha256, result, applied_by, host, pid, ' +
        "app_version, started_ms, changes) values (@type, @id, @sha256, 'running', @by, @host, " +
        '@pid, @version, @nowMs, 0)',
    ),
    end: db.prepare(
      'update operation_attempt set result = @result, ended_ms = @nowMs, changes = ' +
        '@changes, note = @note, error = @error where id = @attempt',
    ),
    trim: db.prepare(
      'delete from operation_attempt where id <= (select max(id) from operation_attempt) - ?',
    ),
    interrupt: db.prepare(
      "update operation_attempt set result = 'interrupted', ended_ms = ? where result = 'running'",
    ),
    saveProgress: db.prepare(
      'insert into operation_progress ' +
        'values (@type, @id, @args, @cursor, @steps, @changes, @nowMs) on conflict (type, id) ' +
        'do update set args = excluded.args, cursor = excluded.cursor, steps = excluded.steps, ' +
        'changes = excluded.changes, at_ms = excluded.at_ms',
    ),
    clearProgress: db.prepare('delete from operation_progress where type = ? and id = ?'),
  };
}

export class OperationTable {
  readonly #look: ReturnType<typeof lookupsOf>;
  readonly #change: ReturnType<typeof changesOf>;

  constructor(db: Connection) {
    this.#look = lookupsOf(db);
    this.#change = changesOf(db);
  }

  isApplied(type: OperationType, id: string): boolean {
    return this.#look.isApplied.get(type, id) !== undefined;
  }

  markers(): MarkerRow[] {
    return this.#look.markers.all();
  }

  mark(row: MarkerRow): void {
    this.#change.mark.run(row);
  }

  /** Records an attempt before anything is done, so that one whose process died is known. */
  start(
    { type, id, sha256 }: Pick<Runnable, 'type' | 'id' | 'sha256'>,
    runner: Runner,
    nowMs: number,
  ): number {
    this.#change.trim.run(limits.operationAttemptsMax);
    return Number(this.#change.start.run({ type, id, sha256, ...runner, nowMs }).lastInsertRowid);
  }

  end(attempt: number, ending: Ending): void {
    this.#change.end.run({ attempt, ...ending });
  }

  /**
   * Marks attempts of a dead process as interrupted. Called by the store's new writer before it
   * runs any.
   */
  interrupt(nowMs: number): void {
    this.#change.interrupt.run(nowMs);
  }

  /** Newest first, of one operation or of all. */
  attempts(operation: string | null): AttemptRow[] {
    return this.#look.attempts.all({ operation, limit: limits.operationHistoryMax });
  }

  /** For each operation, the last attempt that counts for its standing. */
  lastAttempts(): AttemptRow[] {
    return this.#look.last.all();
  }

  /** Progress of a run with these arguments; null when there is nothing to continue. */
  progress({ type, id }: Pick<Runnable, 'type' | 'id'>, args: string): ProgressRow | null {
    return this.#look.progress.get(type, id, args) ?? null;
  }

  saveProgress(
    { type, id }: Pick<Runnable, 'type' | 'id'>,
    args: string,
    progress: ProgressRow,
    nowMs: number,
  ): void {
    this.#change.saveProgress.run({ type, id, args, ...progress, nowMs });
  }

  clearProgress({ type, id }: Pick<Runnable, 'type' | 'id'>): void {
    this.#change.clearProgress.run(type, id);
  }
}
