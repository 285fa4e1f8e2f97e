/**
 * Intake: one commit for what came together, answers only behind it, and what a failing store means
 * for those who wait.
 */
import Database from 'better-sqlite3';
import { rmSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import type { TidemarkError } from '../../../contracts/errors.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import { Intake } from '../../../worker/intake/intake.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openReadOnly } from '../../../worker/state/connection.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { Pressure } from '../../../worker/intake/pressure.ts';
import { Reserve } from '../../../worker/state/guard/disk.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import {
  folderOfTest,
  hubId,
  manifest,
  openStore,
  patch,
  silent,
  upsert,
} from '../../kit/worker/fixture.ts';

function setup() {
  const dir = folderOfTest();
  const store = openStore(dir.path);
  const local = openLocal(store, hubId);
  const clock = new ManualClock();
  const accepted: Lane[] = [];
  const faults: TidemarkError[] = [];
  const backlog = { entries: 0 };
  const pressure = new Pressure({
    bytesInUse: () => store.bytesInUse(),
    pending: () => backlog.entries,
    room: () => null,
    reserve: new Reserve(store.paths),
    clock,
    log: silent,
  });
  const intake = new Intake({
    store,
    journal: local.journal,
    clock,
    log: silent,
    pressure,
    events: { onAccepted: (lane) => accepted.push(lane), onFault: (error) => faults.push(error) },
  });
  return { dir, ...local, clock, intake, accepted, faults, backlog };
}

test('writes that come together share one commit, and each gets its own answer (I1)', async () => {
  const { intake, accepted, journal } = setup();
  const replies = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      intake.accept(n % 2 ? upsert('a', `n${n}`) : manifest('m', `n${n}`)),
    ),
  );
  expect(intake.commits).toBe(1);
  expect(accepted).toEqual(['queue', 'manifest']);
  expect(replies.every((reply, at) => at === 0 || reply.Seq > (replies[at - 1]?.Seq ?? 0))).toBe(
    true,
  );
  expect(replies[0]).toEqual({
    Available: true,
    Success: true,
    Durability: 'synced',
    Seq: replies[0]?.Seq,
    EventGUID: guidOf('n0'),
    Duplicate: false,
  });
  expect(journal.counts('queue').accepted + journal.counts('manifest').accepted).toBe(200);
});

test('no answer before the commit: at the answer another reader finds it in the journal (I1)', async () => {
  const { intake, dir } = setup();
  const other = openReadOnly(pathsOf(dir.path).db);
  const reply = await intake.accept(upsert('a', 'x'));
  expect(other.prepare('select count(*) from entry where seq = ?').pluck().get(reply.Seq)).toBe(1);
  other.close();
});

test('what comes while a commit runs goes into the next, and a commit has a bound (I9)', async () => {
  const { intake } = setup();
  const all = Array.from({ length: limits.commitWritesMax + 5 }, (_, n) =>
    intake.accept(upsert('a', `n${n}`)),
  );
  await Promise.all(all);
  expect(intake.commits).toBe(2);
});

test('a repeat and a conflict within one commit refuse only the conflict (I3)', async () => {
  const { intake } = setup();
  const results = await Promise.allSettled([
    intake.accept(upsert('a', 'x')),
    intake.accept(upsert('a', 'x')),
    intake.accept(upsert('b', 'x')),
    intake.accept(upsert('b', 'y')),
  ]);
  expect(results).toMatchObject([
    { value: { Duplicate: false } },
    { value: { Duplicate: true } },
    { reason: { code: 'CONFLICT' } },
    { value: { Duplicate: false } },
  ]);
});

test('draining answers all that was taken and refuses what comes after', async () => {
  const { intake, clock } = setup();
  const taken = [intake.accept(upsert('a', 'x')), intake.accept(upsert('a', 'y'))];
  const drained = intake.drain();
  await expect(intake.accept(upsert('a', 'z'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    retryAfterMs: limits.unavailableRetryMs,
  });
  await nextTurn();
  await clock.advance(10);
  await drained;
  expect((await Promise.all(taken)).map((reply) => reply.Duplicate)).toEqual([false, false]);
  expect(intake.waiting).toBe(0);
});

test('a removed file: those who wait are refused, nothing more is taken, the fault is reported once (I1)', async () => {
  const { intake, dir, faults, accepted } = setup();
  await intake.accept(upsert('a', 'before'));
  rmSync(pathsOf(dir.path).db);
  const results = await Promise.allSettled([
    intake.accept(upsert('a', 'x')),
    intake.accept(upsert('b', 'y')),
  ]);
  expect(results).toMatchObject([
    { reason: { code: 'STORAGE_FAILED' } },
    { reason: { code: 'STORAGE_FAILED' } },
  ]);
  await expect(intake.accept(upsert('a', 'z'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  expect(faults).toHaveLength(1);
  expect(faults[0]?.message).toContain('state.db');
  expect(accepted).toEqual(['queue']);
});

test('a failing transaction refuses all who wait for it, and stored nothing (I1)', async () => {
  const { intake, journal, faults } = setup();
  const broken = { ...upsert('a', 'bad'), key: undefined as unknown as string };
  const results = await Promise.allSettled([
    intake.accept(upsert('a', 'x')),
    intake.accept(broken),
  ]);
  expect(results.map((one) => one.status)).toEqual(['rejected', 'rejected']);
  expect(journal.find(guidOf('x'))).toBeNull();
  // One bad write is no reason to leave; three failures in a row are.
  expect(faults).toEqual([]);
  await intake.accept(upsert('a', 'good'));
  for (let n = 0; n < 3; n++)
    await expect(intake.accept({ ...broken, eventGuid: guidOf(`bad${n}`) })).rejects.toMatchObject({
      code: n < 2 ? 'INTERNAL' : 'STORAGE_FAILED',
    });
  expect(faults).toHaveLength(1);
  await expect(intake.accept(upsert('a', 'later'))).rejects.toMatchObject({
    code: 'STORAGE_FAILED',
  });
});

test('D6 — a lock held by another is refused with a delay, and over when it is let go; nobody leaves', async () => {
  const { intake, store, faults } = setup();
  store.db.pragma('busy_timeout = 0');
  const other = new Database(store.paths.db);
  other.exec('begin immediate');
  await expect(intake.accept(upsert('a', 'x'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    retryAfterMs: expect.any(Number),
  });
  other.exec('rollback');
  other.close();
  await expect(intake.accept(upsert('a', 'x'))).resolves.toMatchObject({
    Success: true,
    Duplicate: false,
  });
  expect(faults).toEqual([]);
});

test('a full disk is refused for now, in order, and over when there is room', async () => {
  const { intake, store, faults, journal, clock } = setup();
  await intake.accept(upsert('a', 'before'));
  store.db.pragma(`max_page_count = ${String(store.db.pragma('page_count', { simple: true }))}`);
  const big = { Result: 'x'.repeat(300_000) };
  const results = await Promise.allSettled([
    intake.accept(patch('a', 'x', big)),
    intake.accept(patch('a', 'y', {})),
  ]);
  expect(results).toMatchObject([
    { reason: { code: 'OVERLOADED', retryAfterMs: limits.overloadedRetryMs } },
    { reason: { code: 'OVERLOADED' } },
  ]);
  expect(journal.find(guidOf('y'))).toBeNull();
  store.db.pragma('max_page_count = 1000000');
  await clock.advance(limits.diskFullPauseMs);
  expect(await intake.accept(patch('a', 'x', big))).toMatchObject({ Duplicate: false });
  expect(faults).toEqual([]);
});

test('an undelivered backlog at its bound is refused until it is below (I9)', async () => {
  const { intake, backlog, clock } = setup();
  backlog.entries = limits.pendingEntriesMax;
  await expect(intake.accept(upsert('a', 'x'))).rejects.toMatchObject({ code: 'OVERLOADED' });
  backlog.entries = 0;
  await clock.advance(2 * limits.capacityLookMs);
  expect(await intake.accept(upsert('a', 'x'))).toMatchObject({ Success: true });
});

test('writes that wait for a commit are bounded (I9)', async () => {
  const { intake } = setup();
  const one = upsert('a', 'x');
  const taken = Array.from({ length: limits.intakeQueueMax }, () => intake.accept(one));
  await expect(intake.accept(one)).rejects.toMatchObject({ code: 'OVERLOADED' });
  expect((await Promise.all(taken)).filter((reply) => !reply.Duplicate)).toHaveLength(1);
});

test('what waits for a commit is bounded in bytes as well, and so is one commit (I9)', async () => {
  const { intake } = setup();
  const big = (n: number) => patch('a', `n${n}`, { Result: 'x'.repeat(30 * 1024 * 1024) });
  const first = big(0);
  const fitting = Math.floor(limits.intakeBytesMax / (30 * 1024 * 1024)) + 1;
  const taken = Array.from({ length: fitting }, () => intake.accept(first));
  await expect(intake.accept(big(1))).rejects.toMatchObject({
    code: 'OVERLOADED',
    retryAfterMs: limits.overloadedRetryMs,
  });
  await Promise.all(taken);
  expect(intake.commits).toBe(Math.ceil(fitting / 2));
  expect(await intake.accept(upsert('a', 'y'))).toMatchObject({ Success: true });
});

test('the journal at its limit refuses, and takes again once it has given room back (I9)', async () => {
  const { intake, store, clock } = setup();
  const bytes = vi.spyOn(store, 'bytesInUse').mockReturnValue(limits.journalBytesMax);
  await expect(intake.accept(upsert('a', 'y'))).rejects.toMatchObject({ code: 'OVERLOADED' });
  bytes.mockRestore();
  await clock.advance(2 * limits.capacityLookMs);
  expect(await intake.accept(upsert('a', 'y'))).toMatchObject({ Success: true });
});
