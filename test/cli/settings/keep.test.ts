/** How long and how much of delivered writes is kept, from flag, environment and file. */
import { expect, test } from 'vitest';
import { decodeDuration, storeArgs } from '../../../cli/settings/keep.ts';
import { resolveConfig } from '../../../cli/settings/config.ts';

const hourMs = 3_600_000;

test('what is kept is a day or a million bodies, and thirty days or fifty million EventGUIDs, unless told', () => {
  expect(resolveConfig({}, {}).keep).toEqual({
    retention: { ms: 24 * hourMs, entries: 1_000_000 },
    dedup: { ms: 30 * 24 * hourMs, entries: 50_000_000 },
  });
  const told = resolveConfig(
    { retainFor: '90m', dedupEntries: '7' },
    { TIDEMARK_RETAIN_ENTRIES: '5', TIDEMARK_DEDUP_FOR: '2d', TIDEMARK_RETAIN_FOR: '1h' },
  );
  expect(told.keep).toEqual({
    retention: { ms: 90 * 60_000, entries: 5 },
    dedup: { ms: 48 * hourMs, entries: 7 },
  });
  expect(storeArgs(told)).toEqual(
    expect.arrayContaining([
      '--retain-for',
      '5400s',
      '--dedup-for',
      '172800s',
      '--dedup-entries',
      '7',
    ]),
  );
});

test.each(['soon', '5', '0s', '-1h', '4000d', '1y'])(
  '%s is no time to keep anything for',
  (text) => {
    expect(() => decodeDuration('retainFor', text)).toThrow(/^retainFor ".*" is no time/);
  },
);
