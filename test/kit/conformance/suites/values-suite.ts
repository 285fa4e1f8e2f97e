/**
 * Values on any engine: what goes in comes out the same, keys differ where their bytes do, and what
 * a column cannot hold is that mutation's own outcome.
 */
import { describe, expect, test } from 'vitest';
import type { RowMutation } from '../../../../contracts/mutation.ts';
import type { Desk, Shared } from '../desk.ts';
import { distinctKeys, keptTests } from './kept-values.ts';
import { nulTests } from './nul-values.ts';

const item = 'UVQueueWorkItem';

export function valuesSuite(on: () => Shared): void {
  const desk = (): Desk => on().desk();
  describe('values', () => {
    keptTests(desk);
    nulTests(desk);
  });
  describe('keys', () => {
    keyTests(desk);
  });
  describe('what a column cannot hold', () => {
    rejectedTests(on, desk);
  });
}

function keyTests(desk: () => Desk): void {
  test('differ where their characters do: case, accents, blanks at the end', async () => {
    const d = desk();
    const mutations = distinctKeys.map((key, at) =>
      d.workItem(key, at + 1, { Action: String(at) }),
    );
    expect(new Set(await d.outcomes(mutations))).toEqual(new Set(['applied']));
    expect(await d.rows(item, 'WorkItemHash', 'Action')).toEqual(
      distinctKeys.map((key, at) => ({ WorkItemHash: key, Action: String(at) })),
    );
    await d.apply([d.workItem('a ', 100, { Status: 'blank' })]);
    expect(
      (await d.rows(item, 'WorkItemHash', 'Status')).filter((row) => row['Status'] !== 'Pending'),
    ).toEqual([{ WorkItemHash: 'a ', Status: 'blank' }]);
  });

  test('differ so in one batch, where a set of rows is looked up at once', async () => {
    const d = desk();
    const both = (name: string, seq: number): RowMutation[] => [
      d.event(name, seq, { ToStatus: name }),
      d.workItem(name, seq + 1, {}, { Merge: { Extra: { name } } }),
      d.manifest(name, seq + 2, { Status: name }),
    ];
    await d.apply(['A', 'a', 'á', 'a '].flatMap((name, at) => both(name, at * 3 + 1)));
    await d.apply(
      ['A', 'a', 'á', 'a '].flatMap((name, at) => [
        d.workItem(name, at + 20, {}, { Merge: { Extra: { again: at } } }),
        ...(at === 1 ? [d.removal(name, 30)] : []),
      ]),
    );
    expect(
      (await d.rows(item, 'WorkItemHash', 'Extra')).map((row) => [
        row['WorkItemHash'],
        JSON.parse(String(row['Extra'])),
      ]),
    ).toEqual(['A', 'a', 'á', 'a '].map((name, at) => [name, { name, again: at }]));
    expect(await d.rows('UVManifest', 'Hash', 'Deleted')).toEqual([
      { Hash: 'A', Deleted: 0 },
      { Hash: 'á', Deleted: 0 },
      { Hash: 'a ', Deleted: 0 },
      { Hash: 'a', Deleted: 1 },
    ]);
    expect(await d.rows('UVQueueWorkItemEvent', 'ToStatus')).toHaveLength(4);
  });

  test('of the full size in four-byte characters are stored and found', async () => {
    const d = desk();
    const key = '\u{1F600}'.repeat(128);
    await d.apply([d.workItem(key, 1, { Status: '\u{1F600}'.repeat(32) }), d.attempt(key, 1, 2)]);
    expect(await d.outcomes([d.workItem(key, 3, { Priority: 1 })])).toEqual(['applied']);
    expect(await d.rows(item, 'WorkItemHash', 'Priority')).toEqual([
      { WorkItemHash: key, Priority: 1 },
    ]);
  });
}

function rejectedTests(on: () => Shared, desk: () => Desk): void {
  test.each<[what: string, change: Partial<RowMutation>, reason: RegExp]>([
    ['an unknown table', { Table: 'Nope' }, /Nope/],
    ['a table whose name differs in case', { Table: 'uvqueueworkitem' }, /uvqueueworkitem/],
    ['an unknown column', { Set: { 'Nope"; DROP TABLE UVManifest; --': 1 } }, /no column/],
    ['a column that is the beacon’s to write', { Set: { BridgeSeq: 1 } }, /BridgeSeq/],
    ['the numbering column', { Set: { IDUVQueueWorkItem: 1 } }, /IDUVQueueWorkItem/],
    ['the mark’s own table', { Table: 'UVBridgeMark' }, /UVBridgeMark/],
    ['the identity’s own table', { Table: 'UVBridgeStore' }, /UVBridgeStore/],
    ['a string over its size', { Set: { Status: 'x'.repeat(33) } }, /Status holds at most 32/],
    ['text in an integer column', { Set: { Priority: 'high' } }, /Priority takes/],
    ['a fraction in an integer column', { Set: { Priority: 1.5 } }, /Priority takes/],
    ['an integer beyond 2^53', { Set: { Priority: 2 ** 53 } }, /Priority takes/],
    ['text in a boolean column', { Set: { CancelRequested: 'maybe' } }, /CancelRequested takes/],
    ['an object where none can be', { Set: { Priority: { a: 1 } as never } }, /Priority/],
    ['no number in a float column', { Set: { Health: Number.NaN } }, /Health takes/],
  ])(
    '%s is rejected with a reason, and nothing else of the batch is lost',
    async (_what, change, reason) => {
      const d = desk();
      const outputs = await d.apply(
        [d.workItem('good', 1), { ...d.workItem('a', 2), ...change }, d.event('e', 3)],
        { isBelowMark: true },
      );
      expect(outputs.Results.map((result) => result.Outcome)).toEqual([
        'applied',
        'rejected',
        'applied',
      ]);
      expect(outputs.Results[1]?.Reason).toMatch(reason);
      expect(await d.rows(item, 'WorkItemHash')).toEqual([{ WorkItemHash: 'good' }]);
    },
  );

  test('what only the database refuses is rejected in its own words, one by one', async () => {
    const d = desk();
    await on().place.query(refusal[on().backend.kind]);
    try {
      const batch = [
        d.workItem('good', 1),
        d.workItem('bad-one', 2),
        d.event('e', 3),
        d.workItem('bad-two', 4),
        d.workItem('good', 5, { Status: 'Again' }),
      ];
      const outputs = await d.apply(batch);
      expect(outputs.Results.map((result) => result.Outcome)).toEqual([
        'applied',
        'rejected',
        'applied',
        'rejected',
        'applied',
      ]);
      expect(outputs.Results[1]?.Reason).toMatch(/not_this_one/);
      expect(outputs.IsCommitted).toBe(false);
      expect(await d.rows(item)).toEqual([]);
      expect((await d.apply(batch, { isBelowMark: true })).Results).toEqual(outputs.Results);
      expect(await d.rows(item, 'WorkItemHash', 'Status')).toEqual([
        { WorkItemHash: 'good', Status: 'Again' },
      ]);
    } finally {
      await on().place.query(undoRefusal[on().backend.kind]);
    }
  });
}

/** A rule of somebody else's on our table, as each engine has them. */
const refusal = {
  sqlite:
    `create trigger "not_this_one" before insert on "${item}" when NEW."WorkItemHash" ` +
    `like 'bad%' begin select raise(abort, 'not_this_one'); end`,
  postgresql: `alter table "${item}" add constraint "not_this_one" check ("WorkItemHash" not like 'bad%')`,
  mysql: `alter table "${item}" add constraint "not_this_one" check ("WorkItemHash" not like 'bad%')`,
  mssql: `alter table "${item}" add constraint "not_this_one" check ("WorkItemHash" not like 'bad%')`,
};
const undoRefusal = {
  sqlite: 'drop trigger "not_this_one"',
  postgresql: `alter table "${item}" drop constraint "not_this_one"`,
  mysql: `alter table "${item}" drop constraint "not_this_one"`,
  mssql: `alter table "${item}" drop constraint "not_this_one"`,
};
