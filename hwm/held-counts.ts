/**
 * Counts the rows of table held by their states. Triggers keep the counts, so that a look costs the
 * same however many rows there are.
 */
import type { Database } from 'better-sqlite3';
import { type Lane, laneIndex } from '../contracts/subjects.ts';
import { type BlockedState, heldHasBody } from './held-body.ts';

type Which = { database: number; lane: number; state: BlockedState };

function countsOf(db: Database) {
  return {
    all: db
      .prepare<[Which], number>(
        'select n from held_count where database = @database and lane = @lane and state = @state',
      )
      .pluck(),
    pendingAbove: db
      .prepare<[Which], number>(
        'select count(*) from held indexed by held_state where database = @database ' +
          'and lane = @lane and state = @state and seq > (select seq from mark m ' +
          `where m.database = @database and m.lane = @lane) and ${heldHasBody}`,
      )
      .pluck(),
    forgotten: db
      .prepare<[number, number], number>('select dropped from mark where database = ? and lane = ?')
      .pluck(),
    between: db
      .prepare<[number, number, number, number]>(
        `select count(*) from held where database = ? and lane = ? and seq > ? and seq <= ? and ${heldHasBody}`,
      )
      .pluck(),
  };
}

export class HeldCounts {
  readonly #sql: ReturnType<typeof countsOf>;

  constructor(db: Database) {
    this.#sql = countsOf(db);
  }

  /**
   * Rows of held in a state, except those above the mark whose entries have bodies: these are
   * pending.
   */
  count(database: number, lane: Lane, state: BlockedState): number {
    const all = this.all(database, lane, state);
    if (all === 0) return 0;
    return all - (this.#sql.pendingAbove.get({ database, lane: laneIndex(lane), state }) ?? 0);
  }

  /** All rows of held in a state, wherever the mark is. */
  all(database: number, lane: Lane, state: BlockedState): number {
    return this.#sql.all.get({ database, lane: laneIndex(lane), state }) ?? 0;
  }

  /**
   * Dead letters as `count` counts them, and all dropped ones, whether they are still in table held
   * or not.
   */
  countGivenUp(database: number, lane: Lane): number {
    const forgotten = this.#sql.forgotten.get(database, laneIndex(lane)) ?? 0;
    return this.count(database, lane, 'dead') + this.count(database, lane, 'dropped') + forgotten;
  }

  /**
   * Rows of held whose entries have a body, with `from` < Seq <= `through`, dropped ones included.
   */
  countBetween(database: number, lane: Lane, from: number, through: number): number {
    return Number(this.#sql.between.get(database, laneIndex(lane), from, through));
  }
}
