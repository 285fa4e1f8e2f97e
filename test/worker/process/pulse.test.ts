/**
 * The pulse on a real store: it makes a commit of its own only when there was none, goes on on a
 * full disk, and stops when the files are not ours or closed.
 */
import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pulseOf } from '../../../worker/process/watch.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { isCapacityError, type Store } from '../../../worker/state/store.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { tempDir } from '../../kit/temp-dir.ts';

function pulseOver(store: Store) {
  const clock = new ManualClock(1_700_000_000_000);
  const intake = { commits: 0 };
  return { clock, intake, look: pulseOf({ store, clock, intake, summary: () => 'well' }) };
}

test('a commit is made when there was none since the last look, and only then', () => {
  using folder = tempDir('pulse');
  const store = openStore(folder.at('data'));
  const { intake, look } = pulseOver(store);
  expect(look()).toBe('well');
  expect(store.meta('pulse')).toBeUndefined();
  expect(look()).toBe('well');
  expect(store.meta('pulse')).toBe('1700000000000');
  store.setMeta('pulse', 'as it was');
  intake.commits += 1;
  expect(look()).toBe('well');
  expect(store.meta('pulse')).toBe('as it was');
  store.close();
});

test('a full file is told, and is no reason to be started again', () => {
  using folder = tempDir('pulse');
  const store = openStore(folder.at('data'));
  const { look } = pulseOver(store);
  look();
  store.db.pragma(`max_page_count = ${Number(store.db.pragma('page_count', { simple: true }))}`);
  expect(fillUp(store)).toBe(true);
  expect(look()).toBe('no room on the disk: well');
  store.db.pragma('max_page_count = 1000000');
  expect(look()).toBe('well');
  store.close();
});

/** Rows next to the pulse's until there is no room for one as small as it. */
function fillUp(store: Store): boolean {
  const insert = store.db.prepare('insert into meta values (?, ?)');
  for (const [pass, chars] of [
    ['a', 1_000],
    ['b', 100],
    ['c', 1],
  ] as const) {
    try {
      for (let n = 0; n < 100_000; n++)
        insert.run(`pulsd-${pass}-${String(n).padStart(6, '0')}`, 'x'.repeat(chars));
    } catch (error) {
      if (!isCapacityError(error)) throw error;
      if (pass === 'c') return true;
    }
  }
  return false;
}

test('no pulse when a file was taken away, or the store is closed', () => {
  using folder = tempDir('pulse');
  const gone = openStore(folder.at('gone'));
  const over = pulseOver(gone);
  expect(over.look()).toBe('well');
  rmSync(folder.at('gone', 'state', 'state.db'));
  expect(over.look()).toBeNull();
  gone.close();
  const closed = openStore(folder.at('closed'));
  const { look } = pulseOver(closed);
  look();
  closed.close();
  expect(look()).toBeNull();
});
