/** The verdict of the endurance campaign: what was not measured is not flat. */
import { expect, test } from 'vitest';
import { type DayFigures, slowed, tables } from '../kit/endurance/figures.ts';

const day = (number: number, more: Partial<DayFigures> = {}): DayFigures => ({
  day: number,
  written: 1,
  fileBytes: 1,
  walBytes: 1,
  rows: Object.fromEntries(tables.map((table) => [table, 1])) as DayFigures['rows'],
  parked: 0,
  memoryBytes: 1,
  heapBytes: 1,
  longestStep: { name: 'a step', ms: 1, cpuMs: 1 },
  longestTurn: { ms: 1, cpuMs: 1, steps: [] },
  acceptedPerSecond: 100,
  drainedPerSecond: 100,
  faults: 0,
  ...more,
});

test('a rate that was not measured is no flat one, and long steps and turns are named (I13)', () => {
  const days = [1, 2, 3, 4].map((number) => day(number));
  expect(slowed(days)).toEqual([]);
  const unmeasured = days.map((one) => ({ ...one, drainedPerSecond: 0 }));
  expect(slowed(unmeasured)).toEqual(['drained: not measured on every day']);
  const longestStep = { name: 'strip', ms: 30, cpuMs: 30 };
  expect(slowed([...days, day(5, { longestStep })])).toEqual(['day 5: a step of 30 ms (strip)']);
});
