/**
 * What a start makes of the files it finds: the fault matrix of issue and local-state at the moment
 * of opening, on real files.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { pathsOf } from '../../../../worker/state/paths.ts';
import { folderOfTest, hubId } from '../../../kit/worker/fixture.ts';
import {
  append,
  aside,
  balance,
  crashCopy,
  noteNow,
  open,
  seqsOf,
} from '../../../kit/worker/recovery-fixture.ts';

describe('recovery — a start over what it finds', () => {
  test('a first start and a clean stop leave nothing to tell, and store.json says so', () => {
    const dir = folderOfTest();
    const first = open(dir.path);
    const seqs = append(first.local, 0, 3);
    first.local.store.close();
    expect(first.findings).toEqual([]);
    expect(JSON.parse(readFileSync(pathsOf(dir.path).identity, 'utf8'))).toMatchObject({
      Version: 1,
      Store: first.local.store.storeId,
      Hub: hubId,
      IsClean: true,
      Head: { Queue: seqs.at(-1), Manifest: 0 },
      Accepted: { Queue: 3, Manifest: 0 },
      Wal: null,
    });
    const second = open(dir.path);
    expect(second.findings).toEqual([]);
    expect(JSON.parse(readFileSync(pathsOf(dir.path).identity, 'utf8'))).toMatchObject({
      IsClean: false,
    });
  });

  const harms: [what: string, harm: (dir: string) => void, classes: string[]][] = [
    ['state.db is missing', (dir) => rmSync(pathsOf(dir).db), ['missing', 'store-lost']],
    [
      'the folder state/ is missing',
      (dir) => rmSync(pathsOf(dir).stateDir, { recursive: true }),
      ['missing', 'store-lost'],
    ],
    [
      'a directory is at its path (C16)',
      (dir) => {
        rmSync(pathsOf(dir).db);
        mkdirSync(pathsOf(dir).db);
      },
      ['not-a-file', 'store-lost'],
    ],
    [
      'it has 0 bytes (C3)',
      (dir) => truncateSync(pathsOf(dir).db, 0),
      ['empty', 'salvaged', 'lost'],
    ],
    [
      "another program's database is there",
      (dir) => {
        rmSync(pathsOf(dir).db);
        const db = new Database(pathsOf(dir).db);
        db.exec('create table theirs (x)');
        db.close();
      },
      ['foreign', 'store-lost'],
    ],
    [
      'another store is there (D11)',
      (dir) => {
        open(join(dir, 'elsewhere')).local.store.close();
        renameSync(pathsOf(join(dir, 'elsewhere')).db, pathsOf(dir).db);
      },
      ['other-store', 'store-lost'],
    ],
  ];
  test.each(harms)(
    '%s: it comes up, sets aside what was there, and names the range that is lost',
    (_what, harm, classes) => {
      const dir = folderOfTest();
      const first = open(dir.path);
      const seqs = append(first.local, 0, 5);
      first.local.store.close();
      harm(dir.path);
      const second = open(dir.path);
      expect(second.classes).toEqual(classes);
      expect(second.findings.at(-1)?.Detail).toMatchObject({
        Lost: [{ To: seqs.at(-1) }],
        Writes: { Queue: 5, Manifest: 0 },
      });
      expect(second.findings.at(-1)?.What).toMatch(new RegExp(`lost.*${seqs.at(-1)}`));
      expect(
        second.local.store.db.prepare('select class from fault order by id').pluck().all(),
      ).toEqual(classes);
      expect(aside(dir.path).length).toBe(classes[0] === 'missing' ? 0 : 1);
      expect(append(second.local, 10, 11)[0]).toBeGreaterThan(seqs.at(-1) ?? 0);
      second.local.store.close();
      expect(open(dir.path).findings).toEqual([]);
    },
  );

  test('without store.json the file of marks says that there was a store', () => {
    const dir = folderOfTest();
    open(dir.path).local.store.close();
    rmSync(pathsOf(dir.path).stateDir, { recursive: true });
    rmSync(pathsOf(dir.path).identity);
    writeFileSync(
      pathsOf(dir.path).marks,
      JSON.stringify({
        Version: 2,
        Store: 's-1',
        WrittenAt: 'then',
        Queue: { 'db-1': { 1: { Seq: 7, Pending: 4 } } },
        Manifest: {},
      }),
    );
    expect(open(dir.path).findings.at(-1)).toMatchObject({
      Class: 'store-lost',
      What: expect.stringMatching(/s-1.*4 of lane queue \(Seq 8/),
      Detail: { Mark: { Queue: 7 } },
    });
  });
});

describe('recovery — damaged files: every entry that is physically there is kept', () => {
  const pageBytes = 4096;
  const damages: [what: string, harm: (file: Buffer) => Buffer | null][] = [
    [
      'garbage instead of the header',
      (file) => {
        file.fill(0x5a, 0, 100);
        return file;
      },
    ],
    [
      'the first page is garbage',
      (file) => {
        file.fill(0x5a, 0, pageBytes);
        return file;
      },
    ],
    [
      'a page of the middle is garbage',
      (file) => {
        file.fill(0x5a, 90 * pageBytes, 91 * pageBytes);
        return file;
      },
    ],
    [
      'three pages are zeros',
      (file) => {
        file.fill(0, 80 * pageBytes, 83 * pageBytes);
        return file;
      },
    ],
    ['cut to two thirds', (file) => file.subarray(0, Math.floor(file.length / 1.5))],
    ['cut in the middle of a page', (file) => file.subarray(0, 100 * pageBytes + 1000)],
  ];
  test.each(damages)('%s', (_what, harm) => {
    const dir = folderOfTest();
    const first = open(dir.path);
    const all = append(first.local, 0, 1_000, 200);
    const { storeId, epoch } = first.local.store;
    first.local.store.close();
    const { db } = pathsOf(dir.path);
    const file = readFileSync(db);
    const bad = harm(Buffer.from(file)) ?? file;
    writeFileSync(db, bad);
    // What is physically there: the text of an entry's row within a leaf page that was not touched;
    // a page that became an inner one may still show what it held.
    const isThere = (n: number) => {
      const text = `"Result":"w${n}x`;
      for (let at = bad.indexOf(text); at >= 0; at = bad.indexOf(text, at + 1)) {
        const from = Math.floor(at / pageBytes) * pageBytes;
        const page = bad.subarray(from, from + pageBytes);
        if (page[0] === 0x0d && page.equals(file.subarray(from, from + pageBytes))) return true;
      }
      return false;
    };
    const second = open(dir.path);
    const kept = new Set(seqsOf(second.local));
    const expected = all.filter((_, n) => isThere(n));
    expect(expected.filter((seq) => !kept.has(seq))).toEqual([]);
    expect(expected.length).toBeGreaterThan(20);
    expect(['damaged', 'not-a-database']).toContain(second.classes[0]);
    expect(second.classes).toContain('salvaged');
    expect({ storeId: second.local.store.storeId, epoch: second.local.store.epoch }).toEqual({
      storeId,
      epoch,
    });
    expect(balance(second.local)).toBe(0);
    // The lost ones are named to the Seq.
    const lost = all.filter((seq) => !kept.has(seq));
    const told = second.findings.flatMap((one) => one.Detail.Lost ?? []);
    expect(all.filter((seq) => told.some(({ From, To }) => From <= seq && seq <= To))).toEqual(
      lost,
    );
    if (lost.length > 0)
      expect(second.findings.at(-1)).toMatchObject({
        Class: 'lost',
        Detail: { Writes: { Queue: lost.length, Manifest: 0 } },
      });
    second.local.store.close();
    expect(open(dir.path).findings).toEqual([]);
  });

  test('the first page is gone: what cannot be read beside the entries is named as well (D11)', () => {
    const dir = folderOfTest();
    const first = open(dir.path);
    append(first.local, 0, 50, 200);
    first.local.store.close();
    const { db } = pathsOf(dir.path);
    const file = readFileSync(db);
    file.fill(0x5a, 0, pageBytes);
    writeFileSync(db, file);
    const second = open(dir.path);
    expect(second.findings.find((one) => one.Class === 'salvaged')?.What).toMatch(
      new RegExp(
        'its marks, dead letters, refused messages, assignments, maintenance records ' +
          'could not be read whole.*sent again.*look whether a database is assigned',
      ),
    );
  });

  test('a page of an index is garbage: nothing is lost', () => {
    const dir = folderOfTest();
    const first = open(dir.path);
    const all = append(first.local, 0, 1_000);
    const root = first.local.store.db
      .prepare("select rootpage from sqlite_schema where name = 'sqlite_autoindex_known_1'")
      .pluck()
      .get() as number;
    first.local.store.close();
    const file = readFileSync(pathsOf(dir.path).db);
    file.fill(0x5a, (root - 1) * pageBytes + 100, root * pageBytes - 100);
    writeFileSync(pathsOf(dir.path).db, file);
    const second = open(dir.path);
    expect(second.classes).toEqual(['damaged', 'salvaged']);
    expect(seqsOf(second.local)).toEqual(all);
  });

  test('a log with a torn tail: what was committed before is there', () => {
    const [dir, crashed] = [folderOfTest(), folderOfTest()];
    const { local } = open(dir.path);
    const kept = append(local, 0, 10);
    const before = readFileSync(pathsOf(dir.path).wal);
    append(local, 10, 11, 20_000);
    noteNow(local);
    crashCopy(dir.path, crashed.path);
    const { wal } = pathsOf(crashed.path);
    const after = readFileSync(wal);
    const end = after.findLastIndex((byte, at) => byte !== before[at]);
    truncateSync(wal, end - 3_000);
    const second = open(crashed.path);
    expect(seqsOf(second.local)).toEqual(kept);
    expect(second.findings).toMatchObject([
      { Class: 'torn-log' },
      { Class: 'lost', Detail: { Writes: { Queue: 1 } } },
    ]);
  });
});
