/**
 * Lists while writes are pending, against the same lists once everything is delivered: a hub cannot
 * tell the difference.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ownColumns, tableOf } from '../../../contracts/schema.ts';
import type { WriteEnvelope } from '../../../contracts/envelope.ts';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import { manifest, patch, upsert, write } from '../../kit/worker/fixture.ts';
import { World } from '../../kit/worker/with-beacon.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
  await world.startBeacon('db-1');
  await world.assign('db-1');
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

type Change = {
  row: number;
  isPatch: boolean;
  status: string | null;
  priority: number;
  at: string;
};
const change: fc.Arbitrary<Change> = fc.record({
  row: fc.nat({ max: 6 }),
  isPatch: fc.boolean(),
  status: fc.constantFrom('Pending', 'Running', null),
  priority: fc.nat({ max: 2 }),
  at: fc.constantFrom('', 'a', 'b'),
});
const changes = fc.array(change, { maxLength: 8 });
const hashes = ['a~b', 'ä', "q'", '100%', 'x y', 'F~FBVOR~Status', '\u{1F600}'];
const filter = (orders: string[]) =>
  fc.record(
    {
      Status: fc.constantFrom('Pending', 'Running', ['Pending', 'Running']),
      OrderBy: fc.constantFrom(...orders),
      Limit: fc.integer({ min: 1, max: 4 }),
    },
    { requiredKeys: ['Limit'] },
  );

let count = 0;

/** A patch names only half of the row, so that the journal knows it in part. */
function workItem({ row, isPatch, status, priority, at }: Change, run: number): WriteEnvelope {
  const hash = `${run} ${hashes[row]}`;
  count += 1;
  if (isPatch)
    return patch(
      hash,
      `w${count}`,
      priority === 0 ? { Status: status } : { Priority: priority, EnqueuedAt: at },
    );
  return upsert(hash, `w${count}`, {
    RunID: `run${run}`,
    Status: status,
    Priority: priority,
    EnqueuedAt: at,
    CancelRequested: priority === 1,
    Settings: { n: count },
    Extraordinary: count,
  });
}

function manifestWrite({ row, isPatch, status, at }: Change, run: number): WriteEnvelope {
  const hash = `${run} ${hashes[row]}`;
  count += 1;
  if (isPatch) return write('MS_RemoveManifest', `m${count}`, { RunHash: hash });
  return manifest(hash, `m${count}`, {
    OperationHash: `run${run}`,
    Status: status,
    StartTime: at,
    Live: at === 'a',
    Output: { n: count },
  });
}

/** What hubs wrote; what the bridge and the database add differs until it is there. */
function ofHub(rows: JsonObject[], table: 'UVQueueWorkItem' | 'UVManifest'): JsonObject[] {
  const { idColumn } = tableOf(table);
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).filter(
        ([name]) =>
          name !== idColumn &&
          !ownColumns.has(name) &&
          !(name === 'Extra' && table === 'UVManifest'),
      ),
    ),
  );
}

async function compare(
  action: 'QP_ListWorkItems' | 'MS_ListManifests',
  given: object,
): Promise<void> {
  const table = action === 'QP_ListWorkItems' ? 'UVQueueWorkItem' : 'UVManifest';
  const before = await world.list(action, given);
  world.core.setPaused(false);
  await world.drained();
  const after = await world.list(action, given);
  const names = (rows: JsonObject[]) =>
    rows.map((row) => `${String(row['WorkItemHash'] ?? row['Hash'])} ${String(row['Status'])}`);
  expect(names(before.rows)).toEqual(names(after.rows));
  expect(ofHub(before.rows, table)).toEqual(ofHub(after.rows, table));
  expect([...after.sources]).toEqual(['beacon']);
}

/** Writes that are delivered and forgotten, then others that wait. */
async function pend(
  first: WriteEnvelope[],
  second: WriteEnvelope[],
  isForgotten: boolean,
): Promise<void> {
  world.core.setPaused(false);
  await world.accept(...first);
  await world.drained();
  if (isForgotten) await world.forget();
  world.core.setPaused(true);
  await world.accept(...second);
}

let run = 0;

test('reader — work items: filters, orders, pages over pending writes as after delivery (defect 34)', async () => {
  const filters = filter([
    'EnqueuedAt',
    '-EnqueuedAt',
    'Priority DESC',
    'Priority',
    '-WorkItemHash',
    '-CancelRequested',
  ]);
  await fc.assert(
    fc.asyncProperty(
      changes,
      changes,
      filters,
      fc.boolean(),
      fc.boolean(),
      async (first, second, given, isForgotten, isOfRun) => {
        run += 1;
        await pend(
          first.map((one) => workItem(one, run)),
          second.map((one) => workItem(one, run)),
          isForgotten,
        );
        await compare(
          'QP_ListWorkItems',
          isOfRun ? { ...given, RunID: `run${run}` } : { ...given, Limit: 50 },
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('reader — manifests: with removals among the pending writes (defect 34)', async () => {
  const filters = filter(['StartTime', '-StartTime', 'Status', 'Hash DESC', 'Live']);
  await fc.assert(
    fc.asyncProperty(
      changes,
      changes,
      filters,
      fc.boolean(),
      fc.boolean(),
      async (first, second, given, isForgotten, isFull) => {
        run += 1;
        await pend(
          first.map((one) => manifestWrite(one, run)),
          second.map((one) => manifestWrite(one, run)),
          isForgotten,
        );
        await compare('MS_ListManifests', { ...given, OperationHash: `run${run}`, Full: isFull });
      },
    ),
    { numRuns: 60 },
  );
});
