/**
 * The power goes off under a real worker: of what was not synced any part may be gone, and yet
 * every answered write is there.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { cutPower, record, type Recording } from '../../kit/faults/power-cut.ts';

const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? Math.floor(Math.random() * 100_000));

describe(`power cuts (seed ${seed})`, () => {
  let recording: Recording;
  beforeAll(async () => {
    recording = await record({ seed, rounds: 3, writesARound: 600 });
  }, 120_000);

  test('the record has every byte that lies in the folder, over kills and checkpoints', () => {
    expect(recording.difference).toBeNull();
    expect(recording.answered.length).toBeGreaterThan(800);
    expect(recording.checkpoints).toBeGreaterThan(0);
  });

  test(
    'every write answered before the cut is there under its Seq, in a store that is sound (I1, I2, I10, A3)',
    { timeout: 120_000 },
    () => {
      const report = cutPower(recording, { seed, cuts: 24, imagesACut: 2, names: 'journaled' });
      expect(report.complaints).toEqual([]);
      expect(report.lost).toBe(0);
      expect(report.looked).toBeGreaterThan(5_000);
      expect(report.findings).toEqual({});
    },
  );

  test(
    'names that are on the disk only once their folder was synced change nothing (I1)',
    { timeout: 120_000 },
    () => {
      const report = cutPower(recording, {
        seed: seed + 1,
        cuts: 10,
        imagesACut: 2,
        names: 'strict',
      });
      expect(report.complaints).toEqual([]);
      expect(report.looked).toBeGreaterThan(1_000);
    },
  );

  test('a first start cut off anywhere is begun again', { timeout: 120_000 }, () => {
    expect(
      cutPower(recording, { seed, cuts: 0, first: 24, imagesACut: 2, names: 'journaled' })
        .complaints,
    ).toEqual([]);
    expect(
      cutPower(recording, { seed, cuts: 0, first: 24, imagesACut: 2, names: 'strict' }).complaints,
    ).toEqual([]);
  });

  test(
    'without syncs the same cuts lose writes: the check would see it',
    { timeout: 120_000 },
    () => {
      const report = cutPower(recording, {
        seed,
        cuts: 12,
        imagesACut: 1,
        names: 'journaled',
        isSyncIgnored: true,
      });
      expect(report.imagesWithLoss).toBeGreaterThan(0);
      expect(report.lost).toBeGreaterThan(0);
    },
  );
});
