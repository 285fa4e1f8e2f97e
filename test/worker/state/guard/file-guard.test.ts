/**
 * The guard over the state files: what it sees, what it does not mind, and that only our own
 * checkpoints change the database.
 */
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
  openSync,
  closeSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../../contracts/limits.ts';
import { systemClock } from '../../../../runtime/clock.ts';
import { openReadOnly } from '../../../../worker/state/connection.ts';
import { FileGuard } from '../../../../worker/state/guard/file-guard.ts';
import type { StatePaths } from '../../../../worker/state/paths.ts';
import { openLocal } from '../../../../worker/journal/local.ts';
import { folderOfTest, hubId, openStore, upsert } from '../../../kit/worker/fixture.ts';

function setup() {
  const dir = folderOfTest();
  const store = openStore(dir.path);
  const { journal } = openLocal(store, hubId);
  journal.append([upsert('w', 'before')], 1);
  store.checkpoint();
  return { dir, store, journal, paths: store.paths };
}

const harms: [what: string, verdict: string, file: string, harm: (paths: StatePaths) => void][] = [
  [
    'the data directory is removed',
    'gone',
    'state.db',
    (paths) => rmSync(paths.dataDir, { recursive: true }),
  ],
  ['state/ is removed', 'gone', 'state.db', (paths) => rmSync(paths.stateDir, { recursive: true })],
  ['the database is removed', 'gone', 'state.db', (paths) => rmSync(paths.db)],
  ['the log is removed', 'gone', '-wal', (paths) => rmSync(paths.wal)],
  ['the index of the log is removed', 'gone', '-shm', (paths) => rmSync(paths.shm)],
  ['the lock is removed', 'gone', 'writer.lock', (paths) => rmSync(paths.lock)],
  [
    'another file is moved over the database',
    'replaced',
    'state.db',
    (paths) => {
      writeFileSync(`${paths.db}.new`, 'x');
      renameSync(`${paths.db}.new`, paths.db);
    },
  ],
  [
    'the folder is moved away and made again around the same files',
    'replaced',
    'state',
    (paths) => {
      renameSync(paths.stateDir, `${paths.stateDir}.old`);
      mkdirSync(paths.stateDir);
      for (const name of ['state.db', 'state.db-wal', 'state.db-shm'])
        linkSync(`${paths.stateDir}.old/${name}`, `${paths.stateDir}/${name}`);
    },
  ],
  [
    'a copy is written over the database, which keeps its inode',
    'modified',
    'state.db',
    (paths) => {
      copyFileSync(paths.db, `${paths.dataDir}/copy`);
      copyFileSync(`${paths.dataDir}/copy`, paths.db);
    },
  ],
  ['the database is cut to nothing', 'modified', 'state.db', (paths) => truncateSync(paths.db, 0)],
  [
    'a page is written into',
    'modified',
    'state.db',
    (paths) => {
      const file = openSync(paths.db, 'r+');
      writeSync(file, 'damage', 4096 * 3);
      closeSync(file);
    },
  ],
  ['bytes are added', 'modified', 'state.db', (paths) => appendFileSync(paths.db, 'x')],
];

describe('what the guard sees (I1)', () => {
  test.each(harms)('D8 — %s: %s', (_what, verdict, file, harm) => {
    const { store, paths, journal } = setup();
    store.assertSameFiles();
    harm(paths);
    expect(store.lookAtFiles()).toMatchObject({ verdict, path: expect.stringContaining(file) });
    // SQLite itself notices nothing of a missing or replaced file: this is why there is a guard.
    if (verdict !== 'modified')
      expect(journal.append([upsert('w', 'after')], 2)).toMatchObject([{ isNew: true }]);
    expect(() => store.assertSameFiles()).toThrow(
      expect.objectContaining({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining(file),
        cause: expect.objectContaining({ verdict }),
      }),
    );
  });
});

describe('what the guard sees after a commit, without looking at the log (I1)', () => {
  test.each(harms)('D8 — %s: %s', async (_what, verdict, file, harm) => {
    const { store, paths } = setup();
    store.assertSameFiles('quick');
    // From here on the folder's time is trusted; waiting longer changes nothing.
    await systemClock.sleep(limits.folderTimeSettlesMs + 10);
    store.assertSameFiles('quick');
    store.assertSameFiles('quick');
    harm(paths);
    expect(() => store.assertSameFiles('quick')).toThrow(
      expect.objectContaining({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining(file),
        cause: expect.objectContaining({ verdict }),
      }),
    );
  });

  test('D8 — right after a change of the folder the log is looked at: a second may have the same time', () => {
    const { store, paths } = setup();
    const at = new Date(1_700_000_000_000);
    utimesSync(paths.stateDir, at, at);
    store.assertSameFiles('quick');
    rmSync(paths.wal);
    utimesSync(paths.stateDir, at, at);
    expect(() => store.assertSameFiles('quick')).toThrow(/state.db-wal was removed/);
  });
});

describe('what the guard does not mind', () => {
  test('D8 — thousands of writes, our checkpoints, vacuum, and readers from outside that come and go', () => {
    const { store, journal, paths } = setup();
    for (let n = 0; n < 30; n++) {
      journal.append(
        Array.from({ length: 500 }, (_, at) => upsert('w', `${n}-${at}`)),
        n,
      );
      store.assertSameFiles();
      store.wrote(500_000);
      store.assertSameFiles();
      const reader = openReadOnly(paths.db);
      reader.prepare('select count(*) from entry').get();
      reader.close();
      store.assertSameFiles();
    }
    store.db.exec('vacuum');
    store.checkpoint('truncate');
    store.assertSameFiles();
    expect(store.logBytes()).toBe(0);
    expect(store.identity()).toMatchObject({
      State: 'same',
      Wal: 'same',
      Shm: 'same',
      Lock: 'same',
      Folder: 'same',
      IsArmed: true,
      IsDegraded: false,
    });
  });

  test('the log is folded in by rows and by bytes, and stays short under load', () => {
    const { store, journal } = setup();
    let longest = 0;
    for (let n = 0; n < 60; n++) {
      const result = 'x'.repeat(2_000);
      journal.append(
        Array.from({ length: 200 }, (_, at) => upsert('w', `${n}-${at}`, { Result: result })),
        n,
      );
      store.wrote(200 * 2_300);
      longest = Math.max(longest, store.logBytes());
    }
    expect(store.bytes()).toBeGreaterThan(20_000_000);
    expect(longest).toBeLessThan(3 * limits.checkpointBytes);
  });

  test('D9, D13 — a file that cannot be looked at is no sign of anything; degraded after a while, then well', () => {
    const { store, paths, journal } = setup();
    renameSync(paths.db, `${paths.db}.away`);
    // A link to itself: the system answers with an error that is not "there is none".
    symlinkSync(paths.db, paths.db);
    const looks = Array.from({ length: limits.guardUnknownsMax }, () => [
      store.lookAtFiles(),
      store.identity().IsDegraded,
    ]);
    expect(looks.at(0)).toEqual([null, false]);
    expect(looks.at(-1)).toEqual([null, true]);
    expect(store.identity()).toMatchObject({ State: 'unknown', Wal: 'same' });
    expect(journal.append([upsert('w', 'after')], 2)).toMatchObject([{ isNew: true }]);
    rmSync(paths.db);
    renameSync(`${paths.db}.away`, paths.db);
    expect([store.lookAtFiles(), store.identity().IsDegraded]).toEqual([null, false]);
  });

  test('D12 — a guard that cannot be armed is an error at the start, not silence for life', () => {
    const { paths } = setup();
    rmSync(paths.shm);
    expect(() => new FileGuard(paths)).toThrow(
      expect.objectContaining({ code: 'STORAGE_FAILED', message: expect.stringContaining('-shm') }),
    );
  });
});

describe('a ghost leaves alone what is not its own', () => {
  test('no checkpoint into a file that somebody wrote over, also not at the close', () => {
    const { store, journal, paths } = setup();
    journal.append(
      Array.from({ length: 100 }, (_, at) => upsert('w', `log${at}`)),
      2,
    );
    const foreign = Buffer.alloc(8192, 7);
    writeFileSync(paths.db, foreign);
    utimesSync(paths.db, 1, 1);
    store.checkpoint();
    store.wrote(limits.checkpointBytes);
    store.checkpointWhenQuiet();
    store.close();
    expect(readFileSync(paths.db).equals(foreign)).toBe(true);
  });

  test('modes do not matter to it', () => {
    const { store, paths } = setup();
    chmodSync(paths.db, 0o640);
    expect(store.lookAtFiles()).toBeNull();
  });
});
