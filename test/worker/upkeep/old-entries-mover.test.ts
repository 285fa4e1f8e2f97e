/** A store of schema 3 becomes one of today while it is served, whatever ends the worker on the way. */
import { expect, test } from 'vitest';
import type { Journal } from '../../../worker/journal/journal.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { verify } from '../../../worker/state/recover/verify.ts';
import { hasOldEntries, OldEntries } from '../../../worker/state/schema/old-entries.ts';
import { folderOfTest, openStore, upsert } from '../../kit/worker/fixture.ts';
import { goldenFacts, placeGolden } from '../../kit/worker/golden.ts';

const lanes = ['queue', 'manifest'] as const;

function imageOf(db: Parameters<typeof verify>[0]) {
  return db
    .prepare('select seq, lane, guid, accepted_ms, body, trace from entry order by seq')
    .all();
}

test('at every step of the move the journal reads the same, knows every repeat and goes on (I1, I2, I3)', () => {
  const dir = folderOfTest();
  placeGolden('state-v3', dir.path);
  const { Hub, Entries, Lanes } = goldenFacts('state-v3');
  const known = Entries as { Seq: number; EventGUID: string }[];
  let store = openStore(dir.path);
  const before = imageOf(store.db);
  expect(before).toHaveLength(known.length);
  const readAll = (journal: Journal) => lanes.map((lane) => journal.readAfter(lane, 0, 1_000, 1e9));
  const bodies = readAll(openLocal(store, Hub).journal);
  const counts = lanes.map((lane) => openLocal(store, Hub).journal.countAfter(lane, 0));
  expect(counts).toEqual(bodies.map((entries) => entries.length));
  let steps = 0;
  for (; hasOldEntries(store.db); steps++) {
    const { journal } = openLocal(store, Hub);
    expect(readAll(journal)).toEqual(bodies);
    expect(lanes.map((lane) => journal.countAfter(lane, 0))).toEqual(counts);
    const some = known[(steps * 37) % known.length];
    expect(journal.find(some?.EventGUID ?? '')?.seq).toBe(some?.Seq);
    const entry = bodies[0]?.[steps % bodies[0].length];
    if (entry)
      expect(journal.append([{ ...upsert('x', 'x'), ...entry, lane: 'queue' }], 1)).toEqual([
        { seq: entry.seq, isNew: false },
      ]);
    expect(verify(store.db)).toEqual({ Problems: [], Losses: [] });
    new OldEntries(store.db).move(41, 1e9);
    // As after a kill: nothing but what was committed. The last start drops the empty table.
    store.close();
    store = openStore(dir.path);
  }
  expect(steps).toBe(Math.ceil(known.length / 41));
  expect(imageOf(store.db)).toEqual(before);
  expect(readAll(openLocal(store, Hub).journal)).toEqual(bodies);
  expect(verify(store.db)).toEqual({ Problems: [], Losses: [] });
  const [added] = openLocal(store, Hub).journal.append([upsert('new', 'new')], 1);
  expect((added as { seq: number }).seq).toBeGreaterThan(Math.max(...Lanes.map((one) => one.head)));
  expect(store.db.pragma('integrity_check', { simple: true })).toBe('ok');
});
