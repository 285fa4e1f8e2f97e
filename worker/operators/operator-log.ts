/**
 * Who did what: each call of an operator that changes something, or tried to, through whichever
 * door. Bounded, the oldest go; calls that were denied are counted by minute and kind.
 */
import { controlVerbs, isControlVerb } from '../../contracts/control-verbs.ts';
import { messageOf, TidemarkError, toRefusal, refusalStatus } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { type DeniedCount, DeniedCalls } from '../../runtime/http/denied-calls.ts';
import { visible } from '../../runtime/visible.ts';
import type { Connection } from '../state/connection.ts';
import { ActionRows, type NewAction } from './action-rows.ts';

/**
 * Denied: for want of a right. Refused: the call was wrong, or it is not the time. Failed: it could
 * not be done.
 */
export type CallOutcome = 'done' | 'refused' | 'denied' | 'failed';

export type OperatorCall = {
  /**
   * Name of the token; on the bus `bus`, and behind a colon who the caller says it is; of a command
   * line without a worker the system's user.
   */
  who: string;
  via: 'http' | 'bus' | 'cli';
  /** The verb, as the command line has it. */
  action: string;
  detail?: unknown;
};

export type OperatorActionView = {
  ID: number;
  At: string;
  Who: string;
  Via: string;
  Action: string;
  Detail: string | null;
  Outcome: string;
  Reason: string | null;
};

/** The newest first; `Next` is what to give as `Before` for the ones before, null at the end. */
export type OperatorActions = { Actions: OperatorActionView[]; Next: number | null };

export type OperatorRow = {
  id: number;
  atMs: number;
  who: string;
  via: string;
  action: string;
  detail: string | null;
  outcome: string;
  reason: string | null;
};

export const operatorActionsSql =
  'select id, at_ms as atMs, who, via, action, detail, outcome, reason from operator_action ' +
  'where id < ? order by id desc limit ?';

/** A process log, or whatever else shows a person a warning. */
type Warns = { warn(facts: object, what: string): void };

export class OperatorLog {
  readonly #db: Connection;
  readonly #rows: ActionRows;
  readonly #clock: Clock;
  readonly #log: Warns;
  readonly #denied = new DeniedCalls();
  /** Those not written as they stand, and the rows of those that are. */
  readonly #unwritten = new Set<DeniedCount>();
  #rowOf = new WeakMap<DeniedCount, number>();
  #cancel: (() => void) | null = null;

  constructor(db: Connection, clock: Clock, log: Warns) {
    this.#db = db;
    this.#rows = new ActionRows(db);
    this.#clock = clock;
    this.#log = log;
  }

  /** Never throws: what was done is done, and whoever asked for it is told so. */
  note(call: OperatorCall, outcome: CallOutcome, reason: string | null = null): void {
    if (outcome === 'denied') this.#count(call, reason ?? '');
    else
      this.#tried({ ...call, outcome, reason }, () =>
        this.#rows.add(rowOf(call, outcome, reason, this.#clock.nowMs())),
      );
  }

  /** A write is a synced commit, and who is denied must not cause one with each call. */
  #count({ who, via, action }: OperatorCall, reason: string): void {
    const kind = { who: cut(who), via, action: kindOf(action), reason: cut(reason) };
    this.#unwritten.add(this.#denied.add(kind, this.#clock.nowMs()));
    this.#cancel ??= this.#clock.timer(limits.operatorDenialsMs, () => this.flush());
  }

  /** Writes what was counted and not written yet. Never throws. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#unwritten.size === 0) return;
    const counts = [...this.#unwritten];
    this.#unwritten.clear();
    const isWritten = this.#tried({ outcome: 'denied', kinds: counts.length }, () => {
      for (const count of counts) this.#writeCount(count);
    });
    // Rows of a transaction that failed are none.
    if (!isWritten) this.#rowOf = new WeakMap();
  }

  #writeCount(count: DeniedCount): void {
    const { who, via, action, reason, firstMs, times } = count;
    const said = JSON.stringify({ Times: times });
    const row = this.#rowOf.get(count);
    if (row !== undefined) return this.#rows.setDetail(row, said);
    const detail = times === 1 ? null : said;
    const denied = { who, via, action, detail, outcome: 'denied', reason };
    this.#rowOf.set(count, this.#rows.add({ atMs: firstMs, ...denied }));
  }

  #tried(facts: Readonly<Record<string, unknown>>, write: () => void): boolean {
    try {
      this.#rows.write(write);
      return true;
    } catch (error) {
      const { detail: _, ...told } = facts;
      this.#log.warn(
        { ...told, reason: messageOf(error) },
        'what an operator did could not be written down',
      );
      return false;
    }
  }

  /** Runs a call and notes how it ended; what it gives or throws goes on to the caller. */
  run<T>(call: OperatorCall, work: () => T): T {
    try {
      const given = work();
      if (!(given instanceof Promise)) {
        this.note(call, 'done');
        return given;
      }
      return given.then(
        (value: unknown) => {
          this.note(call, 'done');
          return value;
        },
        (error: unknown) => {
          this.#noteError(call, error);
          throw error;
        },
      ) as T;
    } catch (error) {
      this.#noteError(call, error);
      throw error;
    }
  }

  #noteError(call: OperatorCall, error: unknown): void {
    const { Code, Reason } = toRefusal(error);
    this.note(call, outcomeOf(refusalStatus[Code]), Reason);
  }

  /** `{Limit?, Before?}`. @throws TidemarkError INVALID_MESSAGE naming the field */
  list(given: JsonObject): OperatorActions {
    const { before, limit } = pageOf(given);
    this.flush();
    return pageView(
      this.#db.prepare<[number, number], OperatorRow>(operatorActionsSql).all(before, limit + 1),
      limit,
    );
  }
}

/** By the status of an answer. */
export function outcomeOf(status: number): CallOutcome {
  if (status < 400) return 'done';
  if (status === 401 || status === 403) return 'denied';
  return status < 500 ? 'refused' : 'failed';
}

/** @throws TidemarkError INVALID_MESSAGE naming the field */
export function pageOf({ Limit, Before }: JsonObject): { limit: number; before: number } {
  return {
    limit: integerOf('Limit', Limit, limits.operatorActionsShown, limits.operatorActionsShownMax),
    before: integerOf('Before', Before, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  };
}

function integerOf(name: string, value: unknown, otherwise: number, most: number): number {
  if (value === undefined || value === null) return otherwise;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= most)
    return value;
  throw new TidemarkError('INVALID_MESSAGE', `${name}: expected an integer from 1 to ${most}`);
}

/** `rows` are one more than asked for, where there are more. */
export function pageView(rows: readonly OperatorRow[], limit: number): OperatorActions {
  const Actions = rows
    .slice(0, limit)
    .map(({ id, atMs, who, via, action, detail, outcome, reason }) => ({
      ID: id,
      At: isoOf(atMs),
      Who: who,
      Via: via,
      Action: action,
      Detail: detail,
      Outcome: outcome,
      Reason: reason,
    }));
  return { Actions, Next: rows.length > limit ? (Actions.at(-1)?.ID ?? null) : null };
}

/** A control request over the bus as a call to be noted; null when it only looks. */
export function busCallOf(verb: string, body: JsonObject): OperatorCall | null {
  if (isControlVerb(verb) && controlVerbs[verb](body)) return null;
  const { RemoteUser, ...detail } = body;
  const sub =
    ['retry', 'drop', 'set'].find((one) => one in body) ??
    (typeof body['Verb'] === 'string' ? body['Verb'] : undefined);
  return {
    who:
      typeof RemoteUser === 'string' && RemoteUser !== ''
        ? `bus:${RemoteUser.slice(0, limits.remoteUserCharsMax)}`
        : 'bus',
    via: 'bus',
    action: sub === undefined ? verb : `${verb} ${sub}`,
    ...(Object.keys(detail).length > 0 ? { detail } : {}),
  };
}

function rowOf(
  { who, via, action, detail }: OperatorCall,
  outcome: CallOutcome,
  reason: string | null,
  atMs: number,
): NewAction {
  return {
    atMs,
    who: cut(who),
    via,
    action: cut(action),
    detail: detail === undefined ? null : cut(JSON.stringify(detail)),
    outcome,
    reason: reason === null ? null : cut(reason),
  };
}

/** A verb we have, for what else was asked for may be anything. */
function kindOf(action: string): string {
  const [verb = ''] = action.split(/[ ,]/);
  return isControlVerb(verb) ? verb : 'other';
}

/** One bounded line of printable text. */
function cut(text: string): string {
  return visible(text.replace(/\s+/g, ' ')).slice(0, limits.operatorTextCharsMax);
}
