/**
 * store.json: what it says of a store, and what a start makes of one that is cut, foreign or
 * missing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readRemembered } from '../../../../worker/state/guard/identity-file.ts';
import { folderOfTest, openState, upsert } from '../../../kit/worker/fixture.ts';

test('it holds heads, counts, the mark of the assigned database and what waits for it', () => {
  const { store, journal, marks } = openState();
  const seqs = journal
    .append(
      [0, 1, 2, 3].map((n) => upsert(`h${n}`, `w${n}`)),
      1,
    )
    .map((done) => (done as { seq: number }).seq);
  expect(store.note()).toMatchObject({
    Head: { Queue: seqs[3] },
    Accepted: { Queue: 4 },
    Mark: { Queue: 0 },
    Pending: { Queue: 4 },
    IsClean: false,
  });
  const { database } = marks.open('db-1', 1, 'queue', 0, 0);
  store.db.prepare("insert into assignment values (0, 'db-1', 1, 1)").run();
  const blocked = [{ seq: seqs[1] ?? 0, key: 'h1', state: 'dead' as const, reason: 'x' }];
  marks.settle(database, 'queue', {
    throughSeq: seqs[2] ?? 0,
    throughGuid: Buffer.alloc(16),
    recordedMs: 1,
    nowMs: 1,
    applied: 2,
    present: 0,
    blocked,
    carrier: 'batch',
  });
  const note = store.note();
  expect(note).toMatchObject({
    Mark: { Queue: seqs[2], Manifest: 0 },
    Pending: { Queue: 1, Manifest: 0 },
    Store: store.storeId,
    Epoch: store.epoch,
  });
  expect(note.Starts).toEqual([seqs[0] ?? 0]);
  expect(note.Db).not.toBeNull();
  expect(note.Wal).not.toBeNull();
});

test('a file that is cut, empty, of another version or no object remembers nothing, and no start fails for it', () => {
  const dir = folderOfTest();
  const first = openState(dir.path);
  const { paths } = first.store;
  first.store.close();
  expect(readRemembered(paths)).toMatchObject({
    Store: first.store.storeId,
    IsClean: true,
    Wal: null,
  });
  const whole = readFileSync(paths.identity, 'utf8');
  for (const text of [
    '',
    whole.slice(0, 40),
    '[]',
    '7',
    '{"Version": 2, "Store": "x"}',
    '{"Version": 1}',
  ]) {
    writeFileSync(paths.identity, text);
    expect(readRemembered(paths)).toBeNull();
    openState(dir.path).store.close();
    expect(readRemembered(paths)).toMatchObject({ Store: first.store.storeId });
  }
});
