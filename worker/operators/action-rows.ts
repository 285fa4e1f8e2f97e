/**
 * The rows of the operators' log. Calls that were done, refused and denied each have a bound of
 * their own, so that callers without a right, and wrong calls, cannot push out what was done.
 */
import { limits } from '../../contracts/limits.ts';
import type { Connection } from '../state/connection.ts';

type Kind = 'done' | 'refused' | 'denied';

export type NewAction = {
  atMs: number;
  who: string;
  via: string;
  action: string;
  detail: string | null;
  outcome: string;
  reason: string | null;
};

const rowsMax: Record<Kind, number> = {
  done: limits.operatorActionsMax,
  refused: limits.operatorRefusalsMax,
  denied: limits.operatorDenialsMax,
};
const isOfKind: Record<Kind, string> = {
  done: "outcome not in ('refused', 'denied')",
  refused: "outcome = 'refused'",
  denied: "outcome = 'denied'",
};

export class ActionRows {
  readonly #db: Connection;
  /** Counted once, then maintained. */
  #counts: Partial<Record<Kind, number>> = {};

  constructor(db: Connection) {
    this.#db = db;
  }

  /** Runs `work` in one transaction, which is rolled back when it throws. */
  write<T>(work: () => T): T {
    try {
      return this.#db.transaction(work).immediate();
    } catch (error) {
      this.#counts = {};
      throw error;
    }
  }

  /** @returns the id of the new row */
  add({ atMs, who, via, action, detail, outcome, reason }: NewAction): number {
    const { lastInsertRowid } = this.#db
      .prepare(
        'insert into operator_action (at_ms, who, via, action, detail, outcome, reason) ' +
          'values (?, ?, ?, ?, ?, ?, ?)',
      )
      .run(atMs, who, via, action, detail, outcome, reason);
    this.#trim(outcome === 'refused' || outcome === 'denied' ? outcome : 'done');
    return Number(lastInsertRowid);
  }

  setDetail(id: number, detail: string): void {
    this.#db.prepare('update operator_action set detail = ? where id = ?').run(detail, id);
  }

  /** Deletes the oldest rows of a kind above its bound. */
  #trim(kind: Kind): void {
    const before = this.#counts[kind];
    const count = before === undefined ? this.#counted(kind) : before + 1;
    const surplus = Math.max(0, count - rowsMax[kind]);
    if (surplus > 0)
      this.#db
        .prepare(
          'delete from operator_action where id in (select id from operator_action ' +
            `where ${isOfKind[kind]} order by id limit ?)`,
        )
        .run(surplus);
    this.#counts[kind] = count - surplus;
  }

  #counted(kind: Kind): number {
    return this.#db
      .prepare<[], number>(`select count(*) from operator_action where ${isOfKind[kind]}`)
      .pluck()
      .get() as number;
  }
}
