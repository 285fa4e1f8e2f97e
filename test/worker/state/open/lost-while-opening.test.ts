/**
 * Files taken away while a start opens them: what the handle still reads is there after the next
 * start.
 */
import { renameSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Journal } from '../../../../worker/journal/journal.ts';
import { openRecovered } from '../../../../worker/state/open/open-recovered.ts';
import { pathsOf } from '../../../../worker/state/paths.ts';
import {
  assertStillThere,
  saveLostStore,
} from '../../../../worker/state/open/lost-while-opening.ts';
import { folderOfTest, hubId, openState, upsert } from '../../../kit/worker/fixture.ts';

/** A folder with three accepted writes, opened half way. */
function halfOpened() {
  const { path } = folderOfTest();
  const { store, journal } = openState(path);
  journal.append(
    ['a', 'b', 'c'].map((name) => upsert(`wi-${name}`, name)),
    1,
  );
  store.close();
  const paths = pathsOf(path);
  return { path, paths, ...openRecovered(paths) };
}

test.each(['removed', 'replaced'] as const)(
  'D12 — a database %s between opening and arming is not watched as the one opened, and loses nothing',
  (how) => {
    const { path, paths, db, files } = halfOpened();
    expect(() => assertStillThere(paths, files)).not.toThrow();
    if (how === 'removed') rmSync(paths.stateDir, { recursive: true });
    else {
      const other = folderOfTest();
      openState(other.path).store.close();
      renameSync(pathsOf(other.path).db, paths.db);
    }
    expect(() => assertStillThere(paths, files)).toThrow(/removed or replaced while it was opened/);
    saveLostStore(db, paths, files);
    db.close();
    const again = openState(path);
    expect(
      new Journal(again.store.db, hubId).readAfter('queue', 0, 10, 1_000_000).map(({ key }) => key),
    ).toEqual(['wi-a', 'wi-b', 'wi-c']);
  },
);

test('a start that fails with its files in place leaves no rescue', () => {
  const { paths, db, files } = halfOpened();
  saveLostStore(db, paths, files);
  db.close();
  expect(() => rmSync(paths.rescueDir)).toThrow(/ENOENT/);
});
