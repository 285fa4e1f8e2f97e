/** What operators and machines do to the files of a worker. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import Database from 'better-sqlite3';
import { decodeEnvelope } from '../../../contracts/envelope.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { guidOf } from '../rows/trace.ts';
import type { Rig } from './rig.ts';

export type Fault = {
  name: string;
  strike(rig: Rig): void;
  /** Takes the cause away, where it is one that lasts. */
  lift?(rig: Rig): void;
  isUnprivileged?: boolean;
  /**
   * Content is destroyed that nobody may hold in memory, as at a start: what was not delivered may
   * be lost, and must be named.
   */
  isDestructive?: boolean;
};

const pageBytes = 4096;
const damagedPages = 3;

/** Node's own way takes a file that a worker renames at the same time for the end of the work. */
function removeAll(folder: string): void {
  spawnSync('rm', ['-rf', folder]);
}

/** Comes in at one go, as `mv` does it. */
function moveOver(rig: Rig, make: (path: string) => void): void {
  const beside = rig.at('incoming');
  make(beside);
  renameSync(beside, rig.db);
}

/** Overwrites in place. */
function overwrite(path: string, at: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

function damagePages(rig: Rig): void {
  const file = openSync(rig.db, 'r+');
  const pages = Math.floor(fstatSync(file).size / pageBytes);
  // Those in the middle and at the end hold entries.
  for (let n = 1; n <= damagedPages; n++) {
    const page = Math.floor(((pages - 1) * n) / damagedPages);
    if (page > 0) writeSync(file, Buffer.alloc(pageBytes, 0x5a), 0, pageBytes, page * pageBytes);
  }
  closeSync(file);
}

/** EventGUIDs of the other store; none of them may ever reach our database. */
export const foreignGuids = Array.from({ length: 5 }, (_, n) => guidOf(`foreign-${n}`));

/** Another hub's store, as it is after its worker stopped. */
function makeOtherStore(path: string): void {
  const folder = `${path}-folder`;
  const store = openStore(folder);
  const { journal } = openLocal(store, 'otherhub');
  const envelopes = foreignGuids.map((EventGUID) =>
    decodeEnvelope(
      { EventGUID, Settings: { WorkItem: { WorkItemHash: `foreign-${EventGUID}` } } },
      'queue',
      'QP_UpsertWorkItem',
    ),
  );
  journal.append(
    envelopes.flatMap((one) => (one.kind === 'write' ? [one] : [])),
    Date.now(),
  );
  store.close();
  renameSync(`${folder}/state/state.db`, path);
  rmSync(folder, { recursive: true, force: true });
}

function makePlainDatabase(path: string): void {
  const db = new Database(path);
  db.exec(
    "create table notes (id integer primary key, text text); insert into notes (text) values ('not a journal')",
  );
  db.close();
}

function setModes(rig: Rig, fileMode: number, folderMode: number): void {
  const files = [rig.db, `${rig.db}-wal`, `${rig.db}-shm`, rig.at('worker', 'writer.lock')];
  if (folderMode !== 0) chmodSync(rig.state, folderMode);
  for (const path of files) if (existsSync(path)) chmodSync(path, fileMode);
  if (folderMode === 0) chmodSync(rig.state, folderMode);
}

/**
 * The one that nobody can do anything about: the process is gone, and then its store. What was not
 * delivered is lost.
 */
export const lossForGood: Fault = {
  name: 'killed, then rm -rf state',
  isDestructive: true,
  strike: (rig) => {
    for (const keeper of rig.keepers) keeper.strikeDead();
    removeAll(rig.state);
  },
};

export const faults: readonly Fault[] = [
  { name: 'rm-folder', strike: (rig) => removeAll(rig.at('worker')) },
  { name: 'rm-state', strike: (rig) => removeAll(rig.state) },
  { name: 'unlink-database', strike: (rig) => rmSync(rig.db, { force: true }) },
  {
    name: 'unlink-sidecars',
    strike: (rig) => ['-wal', '-shm'].forEach((end) => rmSync(rig.db + end, { force: true })),
  },
  {
    name: 'mv-backup',
    strike: (rig) => moveOver(rig, (path) => copyFileSync(rig.at('backup.db'), path)),
  },
  { name: 'mv-other-store', strike: (rig) => moveOver(rig, makeOtherStore) },
  { name: 'mv-plain-sqlite', strike: (rig) => moveOver(rig, makePlainDatabase) },
  {
    name: 'mv-garbage',
    strike: (rig) => moveOver(rig, (path) => writeFileSync(path, Buffer.alloc(50_000, 'rubbish '))),
  },
  {
    name: 'cp-backup',
    isDestructive: true,
    strike: (rig) => copyFileSync(rig.at('backup.db'), rig.db),
  },
  {
    name: 'cp-other-store',
    isDestructive: true,
    strike: (rig) => {
      makeOtherStore(rig.at('other.db'));
      copyFileSync(rig.at('other.db'), rig.db);
    },
  },
  { name: 'truncate', isDestructive: true, strike: (rig) => truncateSync(rig.db, 0) },
  {
    name: 'garbage-header',
    isDestructive: true,
    strike: (rig) => overwrite(rig.db, 0, Buffer.alloc(100, 0xa5)),
  },
  { name: 'damaged-page', isDestructive: true, strike: damagePages },
  {
    name: 'disk-full',
    strike: (rig) => rig.layer.fail({ write: 'ENOSPC' }),
    lift: (rig) => rig.layer.fail({}),
  },
  {
    name: 'chmod-000',
    strike: (rig) => setModes(rig, 0, 0),
    lift: (rig) => setModes(rig, 0o600, 0o700),
    isUnprivileged: true,
  },
  {
    name: 'read-only',
    strike: (rig) => rig.layer.fail({ write: 'EROFS', open: 'EROFS', names: 'EROFS' }),
    lift: (rig) => rig.layer.fail({}),
  },
];
