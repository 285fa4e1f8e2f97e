/** Marks and what is held below them, on a real store. */
import { describe, expect, test } from 'vitest';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import { guidBytes } from '../../worker/state/entry-identity.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { openState } from '../kit/worker/fixture.ts';

const settlement = (throughSeq: number, more: object = {}) => ({
  throughSeq,
  throughGuid: guidBytes(guidOf(String(throughSeq))),
  recordedMs: 5,
  nowMs: 9,
  applied: 1,
  present: 0,
  blocked: [],
  carrier: 'batch' as const,
  ...more,
});
const blocked = (seq: number, key: string, state: 'dead' | 'parked') => ({
  seq,
  key,
  state,
  reason: state === 'dead' ? 'r' : null,
});

describe('marks', () => {
  test('are one for each database and lane, and found again', () => {
    const { marks } = openState();
    const first = marks.open('db-1', 1, 'queue', 0, 3);
    expect(first).toMatchObject({
      beacon: 'db-1',
      connection: 1,
      seq: 0,
      skipped: 3,
      applied: 0,
      present: 0,
      storeId: '',
      carrier: null,
    });
    expect(marks.open('db-1', 1, 'queue', 99, 99)).toEqual(first);
    expect(marks.open('db-1', 2, 'queue', 0, 0).database).not.toBe(first.database);
    expect(marks.open('db-1', 1, 'manifest', 0, 0).database).toBe(first.database);
    expect(marks.find('db-2', 1, 'queue')).toBeNull();
    expect(marks.list('queue').map((mark) => `${mark.beacon}/${mark.connection}`)).toEqual([
      'db-1/1',
      'db-1/2',
    ]);
  });

  test('move forward with their counts, and never back by settling (I4)', () => {
    const { marks } = openState();
    const { database } = marks.open('db-1', 1, 'queue', 0, 0);
    marks.settle(database, 'queue', settlement(10));
    marks.settle(database, 'queue', settlement(7));
    marks.settle(database, 'queue', settlement(10));
    expect(marks.get(database, 'queue')).toMatchObject({
      seq: 10,
      applied: 1,
      recordedMs: 5,
      appliedMs: 9,
      carrier: 'batch',
      guid: guidBytes(guidOf('10')),
    });
  });

  test('what is held is kept in the transaction that moves the mark, or not at all (I5)', () => {
    const { marks, blocked: store } = openState();
    const { database } = marks.open('db-1', 1, 'queue', 0, 0);
    marks.settle(
      database,
      'queue',
      settlement(10, { blocked: [blocked(8, 'k', 'dead'), blocked(9, 'k', 'parked')] }),
    );
    marks.settle(database, 'queue', settlement(6, { blocked: [blocked(5, 'k', 'dead')] }));
    expect(store.get(database, 5)).toBeNull();
    expect(() =>
      marks.settle(
        database,
        'queue',
        settlement(20, { blocked: [{ ...blocked(15, 'k', 'dead'), state: 'nonsense' }] }),
      ),
    ).toThrow(/CHECK/);
    expect(marks.get(database, 'queue')?.seq).toBe(10);
  });

  test('a rewind takes the entries that go again out of the counts, applied ones first (I10)', () => {
    const { marks } = openState();
    const { database } = marks.open('db-1', 1, 'queue', 0, 0);
    marks.settle(database, 'queue', settlement(10, { applied: 4, present: 3 }));
    marks.rewind(database, 'queue', 2, 5);
    expect(marks.get(database, 'queue')).toMatchObject({
      seq: 2,
      applied: 0,
      present: 2,
      guid: null,
    });
  });

  test('the time of a settlement is that of the batch that passed it', () => {
    const { marks } = openState();
    const { database } = marks.open('db-1', 1, 'queue', 0, 0);
    marks.settle(database, 'queue', settlement(10, { nowMs: 100_000 }));
    marks.settle(database, 'queue', settlement(20, { nowMs: 200_000 }));
    expect([5, 10, 11, 20, 21].map((seq) => marks.settledAt(database, 'queue', seq))).toEqual([
      100_000,
      100_000,
      200_000,
      200_000,
      null,
    ]);
    marks.forgetDeliveriesBefore(150_000);
    expect(marks.settledAt(database, 'queue', 5)).toBe(200_000);
  });

  test('any number of settlements leaves one row for each ten seconds (I13)', () => {
    const { marks, store } = openState();
    const { database } = marks.open('db-1', 1, 'queue', 0, 0);
    for (let seq = 1; seq <= 100; seq++)
      marks.settle(database, 'queue', settlement(seq, { nowMs: 20_000 + seq * 250 }));
    expect(store.db.prepare('select count(*) from delivery').pluck().get()).toBe(3);
    expect(marks.settledAt(database, 'queue', 1)).toBe(29_750);
    expect(marks.settledAt(database, 'queue', 100)).toBe(45_000);
  });
});

function releasedRuns(store: BlockedStore, database: number): number[][] {
  for (;;) {
    const { runs, isMore } = store.released.next(database, 'queue', 100);
    if (runs.length > 0 || !isMore) return runs.map((run) => run.seqs);
  }
}

describe('held entries', () => {
  function setup() {
    const state = openState();
    const { database } = state.marks.open('db-1', 1, 'queue', 0, 0);
    state.marks.settle(
      database,
      'queue',
      settlement(10, {
        blocked: [
          blocked(2, 'k', 'dead'),
          blocked(3, 'k', 'parked'),
          blocked(4, 'l', 'parked'),
          blocked(5, 'k', 'dead'),
          blocked(6, 'l', 'parked'),
        ],
      }),
    );
    return { ...state, database };
  }

  test('writes of a key go in order, unless a dead letter is before; above the mark none may (I7)', () => {
    const { blocked: store, database } = setup();
    store.park(database, 'queue', [{ seq: 12, key: 'm' }], 1);
    const runs = () => releasedRuns(store, database);
    expect(runs()).toEqual([[4, 6]]);
    expect(store.retry(database, 2, 1)).toBe(true);
    expect(runs()).toEqual([
      [2, 3],
      [4, 6],
    ]);
    expect(store.released.next(database, 'queue', 1).runs).toEqual([{ key: 'k', seqs: [2] }]);
    expect(store.released.next(database, 'queue', 1).runs).toEqual([{ key: 'l', seqs: [4] }]);
    store.settle(database, 'queue', [2], true);
    store.settle(database, 'queue', [4], false);
    expect(runs()).toEqual([[3], [6]]);
    store.settle(database, 'queue', [3], true);
    expect(runs()).toEqual([[6]]);
    expect(store.drop(database, 5, 1)).toBe(true);
    const waiting = store.waitingKeys(database, 'queue');
    expect(['k', 'l', 'm', 'n'].filter((key) => waiting.has(key))).toEqual(['l', 'm']);
  });

  test('only dead letters are retried or dropped, and a settlement is counted once (I10)', () => {
    const { blocked: store, marks, database } = setup();
    expect([
      store.retry(database, 3, 1),
      store.drop(database, 3, 1),
      store.retry(database, 99, 1),
      store.drop(database, 99, 1),
    ]).toEqual([false, false, false, false]);
    store.settle(database, 'queue', [4], true);
    store.settle(database, 'queue', [4], true);
    expect(marks.get(database, 'queue')?.applied).toBe(2);
  });

  test('the list tells how many wait behind each, the oldest first', () => {
    const { blocked: store, database } = setup();
    expect(store.list(database, 10)).toMatchObject([
      { seq: 2, key: 'k', parked: 1, reason: 'r' },
      { seq: 5, key: 'k', parked: 0 },
    ]);
    expect(store.count(database, 'queue', 'parked')).toBe(3);
    expect([2, 3].map((seq) => store.isHolding(seq))).toEqual([true, true]);
    store.drop(database, 2, 1);
    expect([2, 3].map((seq) => store.isHolding(seq))).toEqual([false, true]);
    expect([...store.droppedAbove(database, 'queue', 1)]).toEqual([2]);
  });
});
