/**
 * The read merge: what the journal knows over what the backend returned, filtered, ordered and
 * positioned as a database would.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareRows,
  compareScalars,
  type KnownRow,
  learn,
  matches,
  overlay,
} from '../../bridges/read-merge.ts';
import type { RowMutation, RowQuery } from '../../contracts/mutation.ts';

const write = (seq: number, more: Partial<RowMutation> = {}): RowMutation => ({
  Op: 'write',
  Table: 'T',
  Key: { HubID: 'h', K: 'k' },
  Seq: seq,
  Set: {},
  ...more,
});
const query = (more: Partial<RowQuery> = {}): RowQuery => ({
  Table: 'T',
  Terms: [],
  Order: [
    { Column: 'A', IsDescending: false },
    { Column: 'K', IsDescending: false },
  ],
  Limit: 10,
  ...more,
});

describe('what the journal learns of a row', () => {
  test('key, columns, filled and merged ones', () => {
    const first = learn(
      null,
      write(1, { Set: { A: 'x', B: '' }, Fill: { B: 'filled', C: 1 }, Merge: { Extra: { p: 1 } } }),
    );
    expect(first).toEqual({
      HubID: 'h',
      K: 'k',
      A: 'x',
      B: 'filled',
      C: 1,
      Extra: '{"p":1}',
      Deleted: 0,
    });
    expect(
      learn(first, write(2, { Set: { A: 'y' }, Fill: { C: 9 }, Merge: { Extra: { q: 2 } } })),
    ).toEqual({ ...first, A: 'y', Extra: '{"p":1,"q":2}' });
  });

  test('a removal keeps what is known, a later write brings the row back', () => {
    const removed = learn(learn(null, write(1, { Set: { A: 'x' } })), write(2, { Op: 'delete' }));
    expect(removed).toMatchObject({ A: 'x', Deleted: 1 });
    expect(learn(removed, write(3, { Set: { B: 'z' } }))).toMatchObject({
      A: 'x',
      B: 'z',
      Deleted: 0,
    });
  });

  test('text in Extra that is no object is replaced, not a reason to fail', () => {
    for (const text of ['[1]', 'not json', '""', 'null', ''])
      expect(learn({ Extra: text }, write(1, { Merge: { Extra: { p: 1 } } }))['Extra']).toBe(
        '{"p":1}',
      );
  });
});

test('overlay: the journal wins per column, Extra is merged, and without a base the journal stands alone', () => {
  const known: KnownRow = { K: 'k', A: 'new', Extra: '{"q":2}', Deleted: 0 };
  expect(
    overlay({ K: 'k', A: 'old', B: 'kept', Extra: '{"p":1,"q":1}', Deleted: 0 }, known),
  ).toEqual({ K: 'k', A: 'new', B: 'kept', Extra: '{"p":1,"q":2}', Deleted: 0 });
  expect(overlay({ K: 'k', Extra: '' }, known)['Extra']).toBe('{"q":2}');
  expect(overlay(null, known)).toBe(known);
});

describe('matches', () => {
  const row: KnownRow = { K: 'k', A: 'm', S: 'Pending', N: 5, F: true, Deleted: 0 };

  test('all terms, each by any of its values; deleted rows never', () => {
    expect(
      matches(
        query({
          Terms: [
            { Column: 'S', Values: ['Running', 'Pending'] },
            { Column: 'N', Values: [5] },
          ],
        }),
        row,
      ),
    ).toBe(true);
    expect(
      matches(
        query({
          Terms: [
            { Column: 'S', Values: ['Pending'] },
            { Column: 'N', Values: [6] },
          ],
        }),
        row,
      ),
    ).toBe(false);
    expect(matches(query({ Terms: [{ Column: 'S', Values: ['pending'] }] }), row)).toBe(false);
    for (const Deleted of [1, true]) expect(matches(query(), { ...row, Deleted })).toBe(false);
  });

  test('a position lets through what is behind it in the order, and not the row it stands on', () => {
    const at = (After: RowQuery['After'], Order = query().Order) =>
      matches(query({ Order, ...(After ? { After } : {}) }), row);
    expect(at(['l', 'z'])).toBe(true);
    expect(at(['m', 'j'])).toBe(true);
    expect(at(['m', 'k'])).toBe(false);
    expect(at(['n', 'a'])).toBe(false);
    const down = query().Order.map((one) => ({ ...one, IsDescending: true }));
    expect(at(['n', 'a'], down)).toBe(true);
    expect(at(['m', 'k'], down)).toBe(false);
    expect(at(['l', 'z'], down)).toBe(false);
  });

  test('pages of any size, one behind the other, are the sorted whole', () => {
    const rows = fc.uniqueArray(
      fc.record({
        A: fc.constantFrom('', 'a', 'b', 'ä', '\u{1F600}', '\uFFFD'),
        N: fc.integer({ min: -2, max: 12 }),
        K: fc.string({ maxLength: 3 }),
      }),
      { selector: (one) => one.K, maxLength: 25 },
    );
    fc.assert(
      fc.property(
        rows,
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        fc.constantFrom('A', 'N'),
        (all, size, IsDescending, Column) => {
          const order = [
            { Column, IsDescending },
            { Column: 'K', IsDescending },
          ];
          const whole = all.toSorted(compareRows(order));
          const read: KnownRow[] = [];
          for (let last: KnownRow | undefined; ;) {
            const position =
              last === undefined ? {} : { After: order.map((term) => last?.[term.Column] ?? null) };
            const page = all
              .filter((one) => matches(query({ Order: order, ...position }), one))
              .toSorted(compareRows(order))
              .slice(0, size);
            read.push(...page);
            last = page.at(-1);
            if (!last) break;
          }
          expect(read).toEqual(whole);
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('strings compare by code point, as the databases do: not as UTF-16 does', () => {
  expect(compareScalars('\u{1F600}', '\uFFFD')).toBe(1);
  expect(compareScalars('B', 'a')).toBe(-1);
  expect(compareScalars(10, 9)).toBe(1);
  expect(compareScalars(null, '')).toBe(-1);
  expect(compareScalars(undefined, null)).toBe(0);
  expect(compareScalars(true, 1)).toBe(0);
});
