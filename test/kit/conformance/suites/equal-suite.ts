/**
 * Differences between engines: the same traffic on this engine and on SQLite gives the same answers
 * and the same rows, but for numbers of rows and words of refusals.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../../contracts/errors.ts';
import type { RowMutation } from '../../../../contracts/mutation.ts';
import { backends, type RunningBackend } from '../backends.ts';
import { Desk, Shared } from '../desk.ts';
import { endpointTests } from './equal-endpoints.ts';

const tables = [
  'UVQueueWorkItem',
  'UVQueueWorkItemEvent',
  'UVQueueWorkItemAttempt',
  'UVManifest',
  'UVBridgeMark',
];

export function equalSuite(on: () => Shared): void {
  describe('the same as SQLite', () => {
    let reference: Shared | undefined;
    beforeAll(async () => {
      reference = await Shared.start(backends.sqlite);
    });
    afterAll(() => reference?.[Symbol.asyncDispose]());
    const both = (): [Shared, Shared] => {
      if (!reference) throw new Error('the reference is not there');
      return [reference, on()];
    };
    applyTest(both);
    endpointTests(() => both().map((shared) => shared.backend) as [RunningBackend, RunningBackend]);
  });
}

const name = fc.constantFrom('a', 'A', 'b', 'ä', 'a ', '');
const text = fc.oneof(
  fc.constantFrom('', 'x', 'X', ' ', 'it\'s \\ "', '\u{1F600}', '{}', '{"a":1}', '12'),
  fc
    .string({ unit: 'grapheme', maxLength: 8 })
    .filter((one) => one.isWellFormed() && !one.includes('\0')),
);
const value = fc.oneof(
  text,
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    1,
    -7,
    2 ** 40,
    0.1234,
    1e-30,
    1e300,
    'x'.repeat(40),
    [1],
    { deep: null },
  ),
);
const set = fc.dictionary(
  fc.constantFrom(
    'Status',
    'Priority',
    'Health',
    'CancelRequested',
    'Settings',
    'LastError',
    'StartedAt',
    'RetryAfter',
    'Nope',
  ),
  value,
  { maxKeys: 3 },
);
const change = fc.record({
  kind: fc.constantFrom(
    'write',
    'write',
    'fill',
    'merge',
    'event',
    'attempt',
    'manifest',
    'remove',
  ),
  name,
  set,
  member: name,
  number: fc.integer({ min: 0, max: 2 }),
});
const batch = fc.record({
  changes: fc.array(change, { maxLength: 12 }),
  isBelowMark: fc.boolean(),
  isRepeated: fc.boolean(),
  epoch: fc.constantFrom('epoch-1', 'epoch-1', 'epoch-2'),
});

function toMutation(
  d: Desk,
  {
    kind,
    name: key,
    set: given,
    member,
    number,
  }: { kind: string; name: string; set: object; member: string; number: number },
  seq: number,
): RowMutation {
  const values = given as Record<string, string>;
  switch (kind) {
    case 'fill':
      return d.workItem(key, seq, {}, { Fill: values });
    case 'merge':
      return d.workItem(key, seq, values, { Merge: { Extra: { [member]: number } } });
    case 'event':
      return d.event(`${key}${number}`, seq, {
        ...(values['Status'] === undefined ? {} : { ToStatus: values['Status'] }),
        Seq: number,
      });
    case 'attempt':
      return d.attempt(
        key,
        number,
        seq,
        { Outcome: values['Status'] ?? 'x' },
        number === 0 ? { Op: 'insert' } : {},
      );
    case 'manifest':
      return d.manifest(key, seq, { Status: values['Status'] ?? 'x' });
    case 'remove':
      return d.removal(key, seq);
    default:
      return d.workItem(key, seq, values);
  }
}

/** Rows without what may differ, in an order of their own. */
async function contents(d: Desk): Promise<string[][]> {
  return Promise.all(
    tables.map(async (table) =>
      (await d.rows(table)).map((row) => JSON.stringify({ ...row, [`ID${table}`]: 0 })).toSorted(),
    ),
  );
}

/** What an engine must say as the other does; a mark that does not fit is refused by both. */
async function outcomeOf(applied: ReturnType<Desk['apply']>): Promise<object> {
  try {
    const { Results, IsCommitted, Mark } = await applied;
    const results = Results.map(({ Outcome, Reason }) => [
      Outcome,
      Outcome === 'conflict' ? Reason : '',
    ]);
    return { IsCommitted, Mark, Results: results };
  } catch (error) {
    if (error instanceof TidemarkError) return { Refused: error.message };
    throw error;
  }
}

function applyTest(both: () => [Shared, Shared]): void {
  test('outcomes, marks and rows of any batches (I8)', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5 }), async (batches) => {
        const hub = `same${++run}`;
        const desks = both().map((shared) => new Desk(shared.engine, shared.place, hub));
        let seq = 0;
        for (const { changes, isBelowMark, isRepeated, epoch } of batches) {
          const from = seq;
          seq += changes.length;
          for (let times = isRepeated ? 2 : 1; times > 0; times--) {
            const [expected, found] = await Promise.all(
              desks.map(async (d) => {
                const mutations = changes.map((one, at) => toMutation(d, one, from + at + 1));
                return outcomeOf(d.apply(mutations, { isBelowMark, epoch }));
              }),
            );
            expect(found).toEqual(expected);
          }
        }
        const [expected, found] = await Promise.all(desks.map(contents));
        expect(found).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  }, 90_000);
}
