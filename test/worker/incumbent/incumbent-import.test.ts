/**
 * The incumbent's two files: taken once, completely or with every bad entry named, and never a
 * reason to think something was sent.
 */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { importIncumbentFiles } from '../../../worker/incumbent/incumbent-import.ts';
import { incumbentSummaries } from '../../../worker/incumbent/incumbent-table.ts';
import type { Store } from '../../../worker/state/store.ts';
import { folderOfTest, openStore } from '../../kit/worker/fixture.ts';

const marksFile = 'persistence-bridge-hwm.json';
const assignmentFile = 'persistence-assignment.json';
const nowMs = Date.UTC(2026, 10, 21);
const goodMarks =
  '{"Queue":{"beacon-1":"2026-05-01T10:00:00.000Z"},"Manifest":{"beacon-1":"2026-05-01T11:00:00.000Z"}}';
const goodAssignment =
  '{"Queue":{"BeaconID":"db-1","IDBeaconConnection":2,"AssignedAt":"2026-05-01T10:00:00.000Z"},"Manifest":null}';

function setup(files: Record<string, string | Buffer> = {}): {
  store: Store;
  put: (name: string, content: string | Buffer) => void;
  names: () => string[];
} {
  const dir = folderOfTest();
  const store = openStore(dir.path);
  const put = (name: string, content: string | Buffer) => writeFileSync(dir.at(name), content);
  for (const [name, content] of Object.entries(files)) put(name, content);
  return {
    store,
    put,
    names: () =>
      readdirSync(dir.path)
        .filter((name) => name.startsWith('persistence'))
        .sort(),
  };
}

const assignments = (store: Store) =>
  store.db.prepare('select lane, beacon, connection from assignment order by lane').all();
const rejects = (store: Store) =>
  store.db.prepare('select source, item, reason from legacy_reject order by id').all();
const marks = (store: Store) => store.db.prepare('select count(*) from mark').pluck().get();

describe('what is taken', () => {
  test('C14 — the assignment is adopted, times noted, no mark moves; both files stay, byte for byte', () => {
    const { store, names } = setup({ [marksFile]: goodMarks, [assignmentFile]: goodAssignment });
    expect(importIncumbentFiles(store, nowMs)).toMatchObject([
      { Source: marksFile, Status: 'imported', Read: 2, Imported: 2, Rejected: 0 },
      { Source: assignmentFile, Status: 'imported', Read: 1, Imported: 1, Rejected: 0 },
    ]);
    expect(assignments(store)).toEqual([{ lane: 0, beacon: 'db-1', connection: 2 }]);
    expect(
      store.db.prepare('select lane, beacon, at from legacy_mark order by lane').all(),
    ).toEqual([
      { lane: 0, beacon: 'beacon-1', at: '2026-05-01T10:00:00.000Z' },
      { lane: 1, beacon: 'beacon-1', at: '2026-05-01T11:00:00.000Z' },
    ]);
    expect(marks(store)).toBe(0);
    expect(names()).toEqual([`${assignmentFile}.imported`, `${marksFile}.imported`]);
    expect(readFileSync(join(store.dataDir, `${marksFile}.imported`), 'utf8')).toBe(goodMarks);
    expect(readFileSync(join(store.dataDir, `${assignmentFile}.imported`), 'utf8')).toBe(
      goodAssignment,
    );
  });

  test('the older flat shape of an assignment is for both lanes', () => {
    const { store } = setup({ [assignmentFile]: '{"BeaconID":"db-1","IDBeaconConnection":1}' });
    importIncumbentFiles(store, nowMs);
    expect(assignments(store)).toEqual([
      { lane: 0, beacon: 'db-1', connection: 1 },
      { lane: 1, beacon: 'db-1', connection: 1 },
    ]);
  });

  test('C9 — nothing there is nothing done, and our own files are not those of the incumbent', () => {
    const { store, put, names } = setup();
    expect(importIncumbentFiles(store, nowMs)).toEqual([]);
    put(marksFile, '{"Version":2,"Store":"x","Queue":{},"Manifest":{}}');
    put(assignmentFile, goodAssignment);
    // The operator cleared the assignment, and the worker died before it wrote the file again.
    expect(importIncumbentFiles(store, nowMs)).toEqual([]);
    expect(assignments(store)).toEqual([]);
    expect(names()).toEqual([assignmentFile, marksFile]);
  });

  test('C8 — the same content put back later does not come back; another one is another import', () => {
    const { store, put, names } = setup({
      [marksFile]: goodMarks,
      [assignmentFile]: goodAssignment,
    });
    importIncumbentFiles(store, nowMs);
    store.db.exec('delete from assignment');
    put(marksFile, goodMarks);
    put(assignmentFile, goodAssignment);
    expect(importIncumbentFiles(store, nowMs)).toEqual([]);
    expect(assignments(store)).toEqual([]);
    expect(names()).toEqual([
      `${assignmentFile}.imported`,
      `${assignmentFile}.imported-2`,
      `${marksFile}.imported`,
      `${marksFile}.imported-2`,
    ]);
    put(marksFile, goodMarks.replace('beacon-1', 'beacon-2'));
    put(assignmentFile, goodAssignment.replace('db-1', 'db-7'));
    expect(importIncumbentFiles(store, nowMs)).toMatchObject([
      { Status: 'imported' },
      { Status: 'imported', Imported: 1 },
    ]);
    expect(assignments(store)).toEqual([{ lane: 0, beacon: 'db-7', connection: 2 }]);
  });

  test("an assignment of the store's own stays", () => {
    const { store } = setup({ [assignmentFile]: goodAssignment });
    store.db.exec(
      "insert into assignment (lane, beacon, connection, assigned_ms) values (0, 'own', 1, 1)",
    );
    expect(importIncumbentFiles(store, nowMs)).toMatchObject([
      { Read: 1, Imported: 0, Rejected: 1 },
    ]);
    expect(assignments(store)).toEqual([{ lane: 0, beacon: 'own', connection: 1 }]);
    expect(rejects(store)).toMatchObject([{ reason: 'the store already has an assignment' }]);
  });
});

describe('C12 — what cannot be taken is listed, word for word', () => {
  const bad: [what: string, file: string, content: string, imported: number, rejected: string[]][] =
    [
      [
        'no ID',
        assignmentFile,
        '{"Queue":{"IDBeaconConnection":1},"Manifest":{"BeaconID":"m","IDBeaconConnection":1}}',
        1,
        ['"Queue": {"IDBeaconConnection":1}'],
      ],
      [
        'text where a number belongs',
        assignmentFile,
        '{"Queue":{"BeaconID":"q","IDBeaconConnection":"1"}}',
        0,
        ['"Queue": {"BeaconID":"q","IDBeaconConnection":"1"}'],
      ],
      [
        'unknown lanes',
        assignmentFile,
        '{"queue":{"BeaconID":"q","IDBeaconConnection":1},"Queue":{"BeaconID":"q","IDBeaconConnection":1}}',
        1,
        ['"queue": {"BeaconID":"q","IDBeaconConnection":1}'],
      ],
      [
        'a list for a section',
        marksFile,
        '{"Queue":["x"],"Manifest":{"b":"2026-01-01T00:00:00Z"}}',
        1,
        ['"Queue": ["x"]'],
      ],
      [
        'no time, a time to come, a strange ID',
        marksFile,
        '{"Queue":{"a":"soon","b":"2036-01-01T00:00:00Z","c ' +
          'd":"2026-01-01T00:00:00Z","e":5,"ok":"2026-01-01T00:00:00Z"}}',
        1,
        [
          '"Queue.a": "soon"',
          '"Queue.b": "2036-01-01T00:00:00Z"',
          '"Queue.c d": "2026-01-01T00:00:00Z"',
          '"Queue.e": 5',
        ],
      ],
      [
        'the same beacon twice: the last one counts',
        marksFile,
        '{"Queue":{"a":"2026-01-01T00:00:00Z","a":"2026-02-01T00:00:00Z"}}',
        1,
        [],
      ],
      ['a byte-order mark', marksFile, `\u{feff}${goodMarks}`, 2, []],
    ];
  test.each(bad)('%s', (_what, file, content, imported, rejected) => {
    const { store } = setup({ [file]: content });
    const [summary] = importIncumbentFiles(store, nowMs);
    expect(summary).toMatchObject({
      Status: 'imported',
      Imported: imported,
      Rejected: rejected.length,
      Read: imported + rejected.length,
    });
    expect(rejects(store).map((row) => (row as { item: string }).item)).toEqual(rejected);
  });

  const unreadable: [what: string, content: string | Buffer, reason: string][] = [
    ['0 bytes', '', 'the file is empty'],
    ['cut off', goodMarks.slice(0, 40), 'not JSON'],
    ['a list', '[1,2]', 'not an object'],
    ['text', '"hello"', 'not an object'],
    ['bytes', Buffer.from([0xff, 0x00, 0xfe]), 'not JSON'],
    ['far too large', Buffer.alloc(limits.legacyBytesMax + 1, 32), 'bytes, at most'],
  ];
  test.each(unreadable)(
    'C10 — %s: told as failed, kept as it is, and the start goes on',
    (_what, content, reason) => {
      const { store, names } = setup({ [marksFile]: content });
      expect(importIncumbentFiles(store, nowMs)).toMatchObject([
        { Status: 'failed', Reason: expect.stringContaining(reason), Imported: 0 },
      ]);
      expect(incumbentSummaries(store.db)).toMatchObject([{ Source: marksFile, Status: 'failed' }]);
      expect(names()).toEqual([`${marksFile}.unreadable`]);
      expect(
        readFileSync(join(store.dataDir, `${marksFile}.unreadable`)).equals(Buffer.from(content)),
      ).toBe(true);
    },
  );

  test('C11 — mended and put back, it is taken', () => {
    const { store, put } = setup({ [assignmentFile]: goodAssignment.slice(0, 30) });
    expect(importIncumbentFiles(store, nowMs)).toMatchObject([{ Status: 'failed' }]);
    put(assignmentFile, goodAssignment);
    expect(importIncumbentFiles(store, nowMs + 1)).toMatchObject([
      { Status: 'imported', Imported: 1 },
    ]);
    expect(incumbentSummaries(store.db)).toMatchObject([{ Status: 'imported' }]);
    expect(assignments(store)).toHaveLength(1);
    put(assignmentFile, goodAssignment.replace('db-1', 'ours'));
    expect(importIncumbentFiles(store, nowMs + 2)).toEqual([]);
  });
});

describe('cut off anywhere', () => {
  test('before the commit: nothing is taken, and the next start takes it', () => {
    const { store, names } = setup({ [assignmentFile]: goodAssignment });
    store.db.exec(
      "create trigger broken before insert on legacy_import begin select raise(abort, 'cut off'); end",
    );
    expect(() => importIncumbentFiles(store, nowMs)).toThrow('cut off');
    expect([assignments(store), names()]).toEqual([[], [assignmentFile]]);
    store.db.exec('drop trigger broken');
    expect(importIncumbentFiles(store, nowMs)).toMatchObject([{ Imported: 1 }]);
    expect(importIncumbentFiles(store, nowMs)).toEqual([]);
  });

  test('between the two files, in a store that had its own: both are taken in the end', () => {
    const { store, put } = setup();
    importIncumbentFiles(store, nowMs);
    put(marksFile, goodMarks);
    put(assignmentFile, goodAssignment);
    store.db.exec(
      'create trigger broken before insert on legacy_import when new.source = ' +
        `'${marksFile}' begin select raise(abort, 'cut off'); end`,
    );
    expect(() => importIncumbentFiles(store, nowMs)).toThrow('cut off');
    store.db.exec('drop trigger broken');
    importIncumbentFiles(store, nowMs);
    expect(
      incumbentSummaries(store.db)
        .map((summary) => [summary.Source, summary.Status])
        .sort(),
    ).toEqual([
      [assignmentFile, 'imported'],
      [marksFile, 'imported'],
    ]);
    expect(assignments(store)).toHaveLength(1);
  });

  test('between the commit and the rename: the next start only renames', () => {
    const { store } = setup({ [marksFile]: goodMarks, [assignmentFile]: goodAssignment });
    importIncumbentFiles(store, nowMs);
    // As if the process had died there: the rows are in, the files lie where they lay.
    for (const name of [marksFile, assignmentFile])
      renameSync(join(store.dataDir, `${name}.imported`), join(store.dataDir, name));
    store.db.exec("delete from meta where name = 'legacy_imported'; delete from assignment");
    expect(importIncumbentFiles(store, nowMs)).toEqual([]);
    expect(assignments(store)).toEqual([]);
    expect(existsSync(join(store.dataDir, marksFile))).toBe(false);
  });
});
