/**
 * A lane with delivered entries, paused, as the tests of marks moved by hand begin; and the moves.
 */
import { patch } from './fixture.ts';
import { LaneRun } from './lane-run.ts';

/** A patch of a key; the model database knows it by its number. */
export const change = (key: string, n: number) =>
  patch(key, `n${n}`, { Status: `s${n}`, [`F${n}`]: 1 });
/** The reason given by these tests. */
export const why = 'a test';

/** Entries 1 to `count` of the keys a and b, a second apart, delivered; then paused. */
export async function delivered(count = 6): Promise<{ run: LaneRun; seqs: number[] }> {
  const run = LaneRun.ofTest();
  const seqs: number[] = [];
  for (let n = 1; n <= count; n++) {
    seqs.push(...run.append(change(n % 2 ? 'a' : 'b', n)));
    await run.clock.advance(1_000);
  }
  await run.rest();
  run.isPaused = true;
  await run.rest();
  return { run, seqs };
}

/** Moves the mark of the queue lane. */
export const set = (run: LaneRun, to: number | string, more: object = {}) =>
  run.markMover.set({ To: to, Lane: 'queue', Reason: why, ...more });
/** The plan of the queue lane. */
export const plan = async (run: LaneRun, to: number | string, more: object = {}) =>
  (await run.markMover.plan({ To: to, Lane: 'queue', ...more })).Lanes[0];
/** Delivers again until there is nothing left. */
export const resumed = async (run: LaneRun) => {
  run.isPaused = false;
  await run.rest();
};
/** What is on record of sets. */
export const operations = (run: LaneRun) =>
  run.local.store.db.prepare("select * from operation where type = 'hwm-set'").all() as {
    applied_by: string;
    note: string;
    changes: number;
    title: string;
  }[];
