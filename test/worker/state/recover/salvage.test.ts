/**
 * Reading entries out of raw pages: every size of row, overflow chains, logs, and bytes that are no
 * entry at all.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { carve } from '../../../../worker/state/recover/carve.ts';
import {
  type StoredEntry,
  entryOfLine,
  lineOfEntry,
  wrongWith,
} from '../../../../worker/state/recover/entry-lines.ts';
import { pathsOf } from '../../../../worker/state/paths.ts';
import { parentOf } from '../../../kit/traces.ts';
import { folderOfTest, manifest, openState, upsert } from '../../../kit/worker/fixture.ts';

const allOf = (rows: Iterable<StoredEntry>) => [...rows].sort((a, b) => a.seq - b.seq);

test('rows of all sizes come out of the pages as they went in, from the database and from its log alone', () => {
  const dir = folderOfTest();
  const { store, journal } = openState(dir.at('data'));
  const sizes = [
    0, 1, 100, 127, 128, 489, 1_000, 3_900, 4_000, 4_061, 4_096, 9_000, 70_000, 300_000,
  ];
  const writes = sizes.map((size, n) =>
    n % 2
      ? upsert(`h${n}`, `w${n}`, { Result: 'é'.repeat(size / 2) })
      : manifest(`m${n}`, `w${n}`, { Text: 'x'.repeat(size) }),
  );
  journal.append(
    writes.map((write, n) => (n % 3 ? write : { ...write, trace: `${parentOf('a')}\nv=${n}` })),
    1_700_000_000_000,
  );
  journal.strip('queue', journal.readAfter('queue', 0, 1, 1e9));
  const rows = store.db
    .prepare<[], StoredEntry>(
      'select seq, lane, action, guid, key, at, user, accepted_ms, body, digest, trace, crc from entry order by seq',
    )
    .all();
  expect(rows.filter((row) => row.trace !== null)).toHaveLength(5);
  copyFileSync(store.paths.wal, dir.at('log'));
  // Pages say how their file numbers the owner; of one that gave up its body nobody needs to know.
  const owned = rows.map((row) => ({
    ...row,
    ...(row.body === null ? { owner: '', term: 0 } : { owner: null, term: null, ownerId: 1 }),
  }));
  const fromLog = allOf(carve(null, dir.at('log')));
  expect(fromLog).toEqual(owned);
  store.close();
  expect(allOf(carve(pathsOf(dir.at('data')).db, null))).toEqual(owned);
  for (const row of rows) {
    const whole = { ...row, owner: 'store-1', term: 7 };
    expect(entryOfLine(JSON.parse(JSON.stringify(lineOfEntry(whole))))).toEqual({
      ...whole,
      crc: null,
    });
  }
});

test('whatever is written over a file, carving ends, and gives no entry that was not there', () => {
  const dir = folderOfTest();
  const { store, journal } = openState(dir.at('data'));
  journal.append(
    Array.from({ length: 60 }, (_, n) => upsert(`h${n}`, `w${n}`, { Result: 'y'.repeat(n * 90) })),
    1,
  );
  const bodies = new Set(store.db.prepare('select body from entry').pluck().all());
  store.close();
  const file = readFileSync(pathsOf(dir.at('data')).db);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(file.length - 1), fc.uint8Array({ minLength: 1, maxLength: 60 })), {
        minLength: 1,
        maxLength: 12,
      }),
      (blots) => {
        const bad = Buffer.from(file);
        for (const [at, bytes] of blots) bad.set(bytes.subarray(0, bad.length - at), at);
        writeFileSync(dir.at('bad'), bad);
        const isTouched = (body: string) => !bodies.has(body);
        const found = [...carve(dir.at('bad'), null)].filter((row) => wrongWith(row) === null);
        // A changed letter inside a text is beyond what anybody can tell; more than a few such rows
        // would mean misread records.
        expect(
          found.filter((row) => row.body !== null && isTouched(row.body)).length,
        ).toBeLessThanOrEqual(blots.length * 2);
        expect(new Set(found.map((row) => row.seq)).size).toBeLessThanOrEqual(60);
      },
    ),
    { numRuns: 150 },
  );
});
