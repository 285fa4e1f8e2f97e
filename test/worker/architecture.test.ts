/**
 * Who may touch the files of the store: one place opens them for writing, and plain file calls,
 * which drop SQLite's locks, stay with those that look at files nobody has open.
 */
import { expect, test } from 'vitest';
import { readSources } from '../kit/source.ts';

const sources = readSources(['worker', 'cli', 'hwm', 'bridges'], []);

const importers = (name: string) =>
  sources
    .filter(({ text }) => new RegExp(`import \\{[^}]*\\b${name}\\b[^}]*\\} from`).test(text))
    .map(({ path }) => path)
    .sort();

test('one place opens the store for writing (C5)', () => {
  expect(importers('openWritable')).toEqual(['worker/state/open/open-recovered.ts']);
  expect(importers('openRecovered')).toEqual(['worker/state/open/open-store.ts']);
});

test('only the start of the worker and verbs that take its place open a store (C5)', () => {
  expect(importers('openStore')).toEqual([
    'cli/offline/journal-import.ts',
    'cli/offline/ops-here.ts',
    'worker/process/opening/opening.ts',
  ]);
});

test('no file is opened by the path of the database, its log, its index or the lock (finding 5)', () => {
  const opening =
    'readFile|open|copyFile|createReadStream|cpSync|writeFileSync|appendFileSync|truncateSync';
  const calls = new RegExp(
    String.raw`\b(?:${opening})(?:Sync)?\(\s*(?:\w+\.)*(?:paths\.)?(?:db|wal|shm|lock)\b`,
  );
  // The export runs in a process of its own, where no lock is there to be dropped: only the command
  // line imports it.
  expect(sources.filter(({ text }) => calls.test(text)).map(({ path }) => path)).toEqual([
    'cli/offline/journal-export.ts',
  ]);
  expect(
    sources.filter(({ text }) => text.includes("/journal-export.ts'")).map(({ path }) => path),
  ).toEqual(['cli/verbs/journal.ts']);
});
