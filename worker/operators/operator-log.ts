/**
 * Who did what: each call of an operator that changes something, or tried to, through whichever
 * door. Bounded, the oldest go.
 */
import { controlVerbs, isControlVerb } from '../../contracts/control-verbs.ts';
import { messageOf, TidemarkError, toRefusal, refusalStatus } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Connection } from '../state/connection.ts';

/**
 * Denied: for want of a right. Refused: the call was wrong, or it is not the time. Failed: it could
 * not be done.
 */
export type Outcome = 'done' | 'refused' | 'denied' | 'failed';

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

export const operatorActionsSql = `select id, at_ms as atMs, who, via, action, detail, outcome, reason from operator_action
  where id < ? order by id desc limit ?`;

/** A process log, or whatever else shows a person a warning. */
type Warns = { warn(facts: object, what: string): void };

export class OperatorLog {
  readonly #db: Connection;
  readonly #clock: Clock;
  readonly #log: Warns;

  constructor(db: Connection, clock: Clock, log: Warns) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
  }

  /** Never throws: what was done is done, and whoever asked for it is told so. */
  note(
    { who, via, action, detail }: OperatorCall,
    outcome: Outcome,
    reason: string | null = null,
  ): void {
    try {
      const values = [
        cut(who),
        via,
        cut(action),
        detail === undefined ? null : cut(JSON.stringify(detail)),
        outcome,
        reason === null ? null : cut(reason),
      ];
      this.#db
        .transaction(() => {
          const { lastInsertRowid } = this.#db
            .prepare(
              'insert into operator_action (at_ms, who, via, action, detail, outcome, reason) ' +
                'values (?, ?, ?, ?, ?, ?, ?)',
            )
            .run(this.#clock.nowMs(), ...values);
          this.#db
            .prepare('delete from operator_action where id <= ?')
            .run(Number(lastInsertRowid) - limits.operatorActionsMax);
        })
        .immediate();
    } catch (error) {
      this.#log.warn(
        { who, via, action, outcome, reason: messageOf(error) },
        'what an operator did could not be written down',
      );
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
    return pageView(
      this.#db.prepare<[number, number], OperatorRow>(operatorActionsSql).all(before, limit + 1),
      limit,
    );
  }
}

/** By the status of an answer. */
export function outcomeOf(status: number): Outcome {
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

/** One bounded line of printable text. */
function cut(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, limits.operatorTextCharsMax);
}
