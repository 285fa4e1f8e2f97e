/**
 * Every fault once, at another moment and with another way of restarting each time: `npm run
 * campaign:matrix` runs all of them.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Cell, type CellReport, nameOf, runCell } from '../kit/faults/cell.ts';
import { someCells } from '../kit/faults/cells.ts';
import { lossForGood } from '../kit/faults/faults.ts';
import { moments } from '../kit/faults/moments.ts';

const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? Math.floor(Math.random() * 100_000));
/** Cells side by side: each waits for processes most of its time. */
const jobs = 3;
const cells = someCells(seed);

describe(`the state files hurt under a worker (seed ${seed})`, () => {
  const reports = new Map<Cell, CellReport>();
  beforeAll(async () => {
    const waiting = cells.slice();
    await Promise.all(
      Array.from({ length: jobs }, async () => {
        for (let cell = waiting.shift(); cell; cell = waiting.shift())
          reports.set(cell, await runCell(cell));
      }),
    );
  }, 400_000);

  test.each(cells.map((cell) => ({ name: nameOf(cell), cell })))(
    '$name: all that was answered is there once, health named it, the worker is back (I1, I3, I10)',
    ({ cell }) => {
      expect(reports.get(cell)?.complaints).toEqual([]);
      if (!cell.fault.isDestructive) expect(reports.get(cell)?.lost).toBe(0);
      expect(reports.get(cell)?.answered).toBeGreaterThan(50);
    },
  );
});

test(
  'D10 — what nobody could save is named, Seq by Seq: all that was not delivered, nothing of what was',
  { timeout: 120_000 },
  async () => {
    const [idle] = moments;
    if (!idle) throw new Error('there are no moments');
    const report = await runCell({ fault: lossForGood, moment: idle, isSupervised: false, seed });
    expect(report.complaints).toEqual([]);
    expect(report.lost).toBeGreaterThanOrEqual(40);
    expect(report.named).toContain('store-lost');
  },
);
