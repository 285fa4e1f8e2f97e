/** A start that is killed while it merges: the next one ends where an undisturbed one does. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isoOf } from '../../../../runtime/clock.ts';
import { guidBytes } from '../../../../worker/state/entry-identity.ts';
import { type LostStore, rescue } from '../../../../worker/state/recover/rescue.ts';
import { verify } from '../../../../worker/state/recover/verify.ts';
import { ManualClock } from '../../../kit/manual-clock.ts';
import { folderOfTest } from '../../../kit/worker/fixture.ts';
import { append, balance, crashCopy, noteNow, open } from '../../../kit/worker/recovery-fixture.ts';
import { root } from '../../../kit/source.ts';

const script = join(root, 'test/kit/worker/dying-start.ts');
const ordered = {
  entry: 'seq',
  held: 'database, seq',
  mark: 'database, lane',
  database: 'id',
  assignment: 'lane',
  lane: 'lane',
};
const kills = 8;

/** State as a start leaves it. A second start finds nothing to do in it. */
function outcomeOf(path: string) {
  const { local } = open(path);
  const { db } = local.store;
  const tables = Object.fromEntries(
    Object.entries(ordered).map(([table, order]) => [
      table,
      db.prepare(`select * from ${table} order by ${order}`).all(),
    ]),
  ) as Record<string, Record<string, unknown>[]>;
  // When a merge put an entry up for delivery differs from start to start.
  for (const row of tables['held'] ?? []) delete row['since_ms'];
  const outcome = {
    tables,
    balance: balance(local),
    verdict: verify(db),
    store: local.store.storeId,
  };
  local.store.close();
  return outcome;
}

/**
 * Two ghosts of one store wrote more after a copy was made of it; the store has a mark, a dead
 * letter and one that waits behind it.
 * @param isGone its own file is gone too, and only a row-wise rescue is left
 */
function folderToMerge(path: string, isGone: boolean): void {
  const { local } = open(path);
  const seqs = append(local, 0, 9);
  const { database } = local.marks.open('db-1', 1, 'queue', 0, 0);
  const at = (n: number) => seqs[n] ?? 0;
  local.marks.settle(database, 'queue', {
    throughSeq: at(5),
    throughGuid: guidBytes(local.journal.read(at(5))?.eventGuid ?? ''),
    recordedMs: 1,
    nowMs: 2,
    applied: 4,
    present: 0,
    carrier: 'batch',
    blocked: [
      { seq: at(2), key: 'w2', state: 'dead', reason: 'rejected: test' },
      { seq: at(3), key: 'w3', state: 'parked', reason: null },
    ],
  });
  const ghost = folderOfTest().path;
  crashCopy(path, ghost);
  const other = open(ghost).local;
  append(other, 20, 26);
  if (isGone) rescueLines(other.store, 1_000);
  else rescue(other.store, { class: 'gone', what: 'test' }, 1_000);
  // What was rescued is older than what the store has by now: it goes below its mark.
  local.store.close();
  const later = open(path).local;
  const own = append(later, 40, 44).at(-1) ?? 0;
  later.marks.settle(database, 'queue', {
    throughSeq: own,
    throughGuid: guidBytes(later.journal.read(own)?.eventGuid ?? ''),
    recordedMs: 1,
    nowMs: 3,
    applied: 7,
    present: 0,
    blocked: [],
    carrier: 'batch',
  });
  noteNow(later);
  if (isGone) rescueLines(later.store, 500);
  cpSync(other.store.paths.rescueDir, later.store.paths.rescueDir, { recursive: true });
  later.store.close();
  if (isGone) rmSync(later.store.paths.stateDir, { recursive: true });
}

/** Something lies where VACUUM INTO would write. */
function rescueLines(store: LostStore, nowMs: number): void {
  const folder = join(
    store.paths.rescueDir,
    `${isoOf(nowMs).replaceAll(/[-:.Z]/g, '')}-${process.pid}`,
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'state.db'), 'in the way');
  rescue(store, { class: 'gone', what: 'test' }, nowMs);
}

const start = (path: string, step: number) =>
  spawnSync(process.execPath, [script, path, String(step)], { encoding: 'utf8' });

for (const [name, isGone] of [
  ['into a store whose mark has passed what is merged', false],
  ['into a store made anew', true],
] as const) {
  test(`a start killed amid merging ${name}: the next ends as undisturbed, then no change (D10, I4, I5, I10)`, () => {
    const dir = folderOfTest();
    folderToMerge(dir.at('made'), isGone);
    const fresh = (to: string) => {
      cpSync(dir.at('made'), dir.at(to), { recursive: true });
      return dir.at(to);
    };
    const steps = Number(
      execFileSync(process.execPath, [script, fresh('undisturbed'), '0'], { encoding: 'utf8' }),
    );
    const wanted = outcomeOf(dir.at('undisturbed'));
    expect(wanted).toMatchObject({ balance: 0, verdict: { Problems: [], Losses: [] } });
    expect(outcomeOf(dir.at('undisturbed'))).toEqual(wanted);
    const random = new ManualClock(0, 7);
    for (let n = 0; n < kills; n++) {
      const step = 1 + Math.floor(((n + random.random()) / kills) * steps);
      const path = fresh(`killed-${n}`);
      expect(start(path, step).signal, `step ${step} of ${steps}`).toBe('SIGKILL');
      if (n % 2) start(path, 1 + Math.floor(random.random() * step));
      expect(outcomeOf(path), `killed at step ${step} of ${steps}`).toEqual(wanted);
      expect(outcomeOf(path), 'once more').toEqual(wanted);
    }
  }, 60_000);
}
