/**
 * The rows of the operators' log: what was done, and what was denied, each within a bound of its
 * own, so that who has no right pushes out nothing of those who have.
 */
import { limits } from '../../contracts/limits.ts';
import type { Connection } from '../state/connection.ts';

type Kind = 'done' | 'denied';

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
  denied: limits.operatorDenialsMax,
};
const isOfKind: Record<Kind, string> = {
  done: "outcome <> 'denied'",
  denied: "outcome = 'denied'",
};

export class ActionRows {
  readonly #db: Connection;
  /** Counted once, and then kept in step. */
  #counts: Partial<Record<Kind, number>> = {};

  constructor(db: Connection) {
    this.#db = db;
  }

  /** One transaction. What it throws leaves everything as it was. */
  write<T>(work: () => T): T {
    try {
      return this.#db.transaction(work).immediate();
    } catch (error) {
      this.#counts = {};
      throw error;
    }
  }

  /** Its number. */
  add({ atMs, who, via, action, detail, outcome, reason }: NewAction): number {
    const { lastInsertRowid } = this.#db
      .prepare(
        'insert into operator_action (at_ms, who, via, action, detail, outcome, reason) ' +
          'values (?, ?, ?, ?, ?, ?, ?)',
      )
      .run(atMs, who, via, action, detail, outcome, reason);
    this.#trim(outcome === 'denied' ? 'denied' : 'done');
    return Number(lastInsertRowid);
  }

  setDetail(id: number, detail: string): void {
    this.#db.prepare('update operator_action set detail = ? where id = ?').run(detail, id);
  }

  /** After one was added: the oldest of its kind go. */
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
