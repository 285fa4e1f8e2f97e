/**
 * Trace contexts in files: of stores from before there were any, of lines that people may have
 * edited, and of writes that have been delivered long ago.
 */
import { expect, test } from 'vitest';
import { exportLines } from '../../../cli/offline/journal-export.ts';
import { guidBytes } from '../../../worker/state/entry-identity.ts';
import {
  type EntryLine,
  entryOfLine,
  lineOfEntry,
} from '../../../worker/state/recover/entry-lines.ts';
import { mergeAll } from '../../../worker/state/recover/merge.ts';
import { openDatabase } from '../../../worker/state/recover/salvage.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { goldenFacts, placeGolden } from '../../kit/worker/golden.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { parentOf } from '../../kit/traces.ts';
import { folderOfTest, openState, upsert } from '../../kit/worker/fixture.ts';

const entriesOf = (lines: Iterable<string>) =>
  [...lines].map((line) => JSON.parse(line) as EntryLine);

test('a store of the first schema is exported and salvaged as it is: its entries have no trace', () => {
  const dir = folderOfTest();
  placeGolden('state-v1', dir.path);
  const { Entries } = goldenFacts('state-v1');
  const lines = entriesOf(exportLines(dir.path, 0, () => undefined));
  expect([lines.length, lines.filter((line) => 'Trace' in line).length]).toEqual([Entries, 0]);
  const source = openDatabase(pathsOf(dir.path).db, null);
  const found = [...source.entries];
  source.close();
  expect([source.kind, found.length, found.filter((one) => one.trace !== null).length]).toEqual([
    'sound',
    Entries,
    0,
  ]);
});

test('a line says its trace, and one that is none is left out with the entry kept', () => {
  const { store, journal } = openState(folderOfTest().path);
  journal.append(
    [{ ...upsert('a', 'a'), trace: `${parentOf('a')}\nv=1` }, upsert('b', 'b')],
    1_000,
  );
  const [traced, plain] = entriesOf(exportLines(store.dataDir, 0, () => undefined));
  expect([traced?.Trace, plain && 'Trace' in plain]).toEqual([`${parentOf('a')}\nv=1`, false]);
  expect(entryOfLine(traced).trace).toBe(traced?.Trace);
  for (const Trace of ['rubbish', 7, parentOf('a') + '-more'])
    expect(entryOfLine({ ...traced, Trace })).toMatchObject({ seq: traced?.Seq, trace: null });
});

test('a merge takes traces along, heals damaged ones; another trace is not another content (I3)', () => {
  const { store, journal } = openState(folderOfTest().path);
  journal.append([{ ...upsert('a', 'a'), trace: parentOf('a') }], 1_000);
  const lineOf = (name: string, trace: string | null, seq: number) => ({
    ...entryOfLine(
      JSON.parse(
        JSON.stringify(
          lineOfEntry({
            seq,
            lane: 0,
            action: 'QP_UpsertWorkItem',
            guid: guidBytes(guidOf(name)),
            key: name,
            at: null,
            user: null,
            accepted_ms: 1,
            body: JSON.stringify(upsert(name, name).settings),
            digest: null,
            trace: null,
            crc: null,
            owner: '',
            term: 0,
          }),
        ),
      ),
    ),
    trace,
  });
  const merged = mergeAll(
    store.db,
    {
      tables: {},
      isDoubtful: true,
      entries: [
        lineOf('a', parentOf('b'), 5),
        lineOf('b', parentOf('c'), 6),
        lineOf('c', 'rubbish', 7),
      ],
    },
    { nowMs: 1, isReplayRunning: false },
  );
  expect(merged).toMatchObject({ Imported: 2, Known: 1, Conflicts: 0, Rejected: 0 });
  expect(store.db.prepare('select key, trace from entry order by key').raw().all()).toEqual([
    ['a', parentOf('a')],
    ['b', parentOf('c')],
    ['c', null],
  ]);
});

test('retention gives up the trace with the body', () => {
  const { store, journal } = openState(folderOfTest().path);
  journal.append([{ ...upsert('a', 'a'), trace: parentOf('a') }], 1_000);
  journal.strip('queue', journal.readAfter('queue', 0, 1, 1e9));
  expect(store.db.prepare('select body, trace from entry').raw().all()).toEqual([[null, null]]);
});
