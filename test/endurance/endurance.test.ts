/** A few simulated days of the endurance campaign: sizes and rows only, nothing of it is timed. */
import { expect, onTestFinished, test } from 'vitest';
import { dayMs, Endurance, keptFor } from '../kit/endurance/days.ts';
import { type DayFigures, grown } from '../kit/endurance/figures.ts';
import { SyncTime } from '../kit/endurance/turns.ts';
import type { KeepBounds } from '../../worker/upkeep/keep-bounds.ts';
import { tempDir } from '../kit/temp-dir.ts';

const entries = 24_000;
const days = 6;

async function run(
  keep: KeepBounds = keptFor,
): Promise<{ figures: DayFigures[]; faults: string[] }> {
  const dir = tempDir('endurance');
  onTestFinished(() => dir[Symbol.dispose]());
  const endurance = new Endurance({
    dataDir: dir.path,
    entries,
    days,
    seed: 1,
    keep,
    sync: new SyncTime(undefined),
    onDay: () => undefined,
  });
  const figures = await endurance.run();
  return { figures, faults: endurance.faults };
}

test('over days of traffic, outages, dead letters and restarts no table and no file grows (I13)', async () => {
  const { figures, faults } = await run();
  expect(faults).toEqual([]);
  expect(grown(figures)).toEqual([]);
  const last = figures.at(-1) as DayFigures;
  const aDay = entries / days;
  expect(last.written).toBeGreaterThanOrEqual(entries);
  // Kept for half a day, and known for one and a half, each with the tenth that the day's script adds.
  expect(last.rows.queue_body + last.rows.manifest_body).toBeLessThan(0.5 * aDay * 1.2 + 500);
  expect(last.rows.known).toBeLessThan(1.5 * aDay * 1.2 + 500);
  expect(last.rows.released).toBe(0);
}, 300_000);

test('a store that forgets nothing is found to grow by the same measures (I13)', async () => {
  const forEver = { entries: 1e9, ms: 1_000 * dayMs };
  const { figures } = await run({ retention: keptFor.retention, dedup: forEver });
  expect(grown(figures)).toEqual([
    expect.stringMatching(/rows of known/),
    expect.stringMatching(/rows of delivery/),
  ]);
}, 300_000);
