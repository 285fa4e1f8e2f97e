/** What a ghost saves: all of it, in a form that the next start takes. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Store } from '../../../../worker/state/store.ts';
import { openReadOnly } from '../../../../worker/state/connection.ts';
import { rescue, type RescueNote } from '../../../../worker/state/recover/rescue.ts';
import { openLocal } from '../../../../worker/journal/local.ts';
import { folderOfTest, hubId, manifest, openStore, upsert } from '../../../kit/worker/fixture.ts';

const nowMs = Date.UTC(2026, 10, 21, 8, 30);
const writes = 3_000;

function setup() {
  const dir = folderOfTest();
  const store = openStore(dir.path);
  const local = openLocal(store, hubId);
  for (let n = 0; n < writes; n += 100)
    local.journal.append(
      Array.from({ length: 100 }, (_, at) =>
        upsert(`w${at}`, `${n + at}`, { Result: 'x'.repeat(300) }),
      ),
      n,
    );
  local.journal.append([manifest('m', 'm')], 1);
  return { dir, ...local };
}

function noteIn(folder: string): RescueNote {
  return JSON.parse(readFileSync(join(folder, 'note.json'), 'utf8')) as RescueNote;
}

const gone = { class: 'gone', what: 'it was removed' } as const;

describe('rescue (I1)', () => {
  const losses: [string, (store: Store) => void][] = [
    ['state/ is gone', (store) => rmSync(store.paths.stateDir, { recursive: true })],
    [
      'the whole data directory is gone',
      (store) => rmSync(store.paths.dataDir, { recursive: true }),
    ],
  ];
  test.each(losses)(
    '%s: every accepted write, the marks and the identity are in the copy, and nothing is written to where they were',
    (_what, lose) => {
      const { store, journal, marks } = setup();
      const { database } = marks.open('db-1', 1, 'queue', 0, 0);
      lose(store);
      const { folder } = rescue(store, gone, nowMs);
      expect(folder).toMatch(/rescue\/20261121T083000000-\d+$/);
      expect(existsSync(store.paths.stateDir)).toBe(false);
      expect(noteIn(folder)).toEqual({
        Version: 1,
        Store: store.storeId,
        Epoch: store.epoch,
        Hub: hubId,
        At: '2026-11-21T08:30:00.000Z',
        Pid: process.pid,
        Class: 'gone',
        What: 'it was removed',
        Kind: 'copy',
        Entries: writes + 1,
        Head: { queue: journal.counts('queue').head, manifest: journal.counts('manifest').head },
        Lost: [],
      });
      const copy = openReadOnly(join(folder, 'state.db'));
      expect(copy.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(copy.prepare('select count(*) from entry').pluck().get()).toBe(writes + 1);
      expect(
        copy.prepare('select count(*) from mark where database = ?').pluck().get(database),
      ).toBe(1);
      expect(copy.pragma('user_version', { simple: true })).toBe(
        store.db.pragma('user_version', { simple: true }),
      );
      copy.close();
      expect(readdirSync(folder).sort()).toEqual(['note.json', 'state.db']);
      expect([
        statSync(folder).mode & 0o777,
        statSync(join(folder, 'state.db')).mode & 0o777,
      ]).toEqual([0o700, 0o600]);
    },
  );

  test('a transaction that was open is not part of it', () => {
    const { store } = setup();
    store.db.exec('begin');
    store.db.exec('delete from known; delete from queue_body');
    rmSync(store.paths.stateDir, { recursive: true });
    expect(rescue(store, gone, nowMs).note.Entries).toBe(writes + 1);
  });

  test('where no whole copy can be had, entry by entry around what cannot be read, the ranges named', () => {
    const { store } = setup();
    store.checkpoint('truncate');
    // Small caches, so that the damage is met: pages are read from the file again.
    store.db.pragma('cache_size = 1');
    const bytes = readFileSync(store.paths.db);
    const seqs = store.db.prepare('select seq from entry order by seq').pluck().all() as number[];
    for (let page = 80; page < 100; page++) bytes.fill(0xee, page * 4096, page * 4096 + 4096);
    store.db.exec('pragma shrink_memory');
    writeFileSync(store.paths.db, bytes);
    const { folder, note } = rescue(store, { class: 'modified', what: 'damage' }, nowMs);
    expect(note).toMatchObject({ Kind: 'lines', Class: 'modified' });
    expect(readdirSync(folder).sort()).toEqual(['entries.jsonl', 'note.json', 'tables.json']);
    const saved = readFileSync(join(folder, 'entries.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { Seq: number }).Seq);
    expect(saved).toHaveLength(note.Entries);
    expect(saved.length).toBeGreaterThan(writes / 2);
    const isNamed = (seq: number) => note.Lost.some(({ From, To }) => seq >= From && seq <= To);
    const missing = seqs.filter((seq) => !saved.includes(seq));
    expect(missing.length).toBeGreaterThan(0);
    expect(missing.filter((seq) => !isNamed(seq))).toEqual([]);
    // No more is named than what is missing: the ranges end where reading works again.
    expect(saved.filter(isNamed)).toEqual([]);
  });

  test('an entry whose body is no JSON any more does not take the others along', () => {
    const { store } = setup();
    const seq = store.db
      .prepare('select seq from entry order by seq limit 1 offset 7')
      .pluck()
      .get() as number;
    store.db.prepare("update queue_body set body = '{' where seq = ?").run(seq);
    // One entry more than counted, so that the whole copy is not taken.
    store.db.exec('update lane set accepted = accepted + 1 where lane = 0');
    const { note } = rescue(store, gone, nowMs);
    expect(note).toMatchObject({ Kind: 'lines', Entries: writes, Lost: [{ From: seq, To: seq }] });
  });

  test('when nothing can be written anywhere, the error says what that means', () => {
    const { store, journal } = setup();
    rmSync(store.paths.dataDir, { recursive: true });
    writeFileSync(store.paths.dataDir, 'a file is in the way');
    expect(() => rescue(store, gone, nowMs)).toThrow(
      expect.objectContaining({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining(`up to Seq ${journal.counts('queue').head}`),
      }),
    );
  });
});
