/** How far back accepted writes are known, and what is answered behind that (I3, I13). */
import { describe, expect, test } from 'vitest';
import type { WriteEnvelope } from '../../../contracts/envelope.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { Local } from '../../../worker/journal/local.ts';
import { findLosses } from '../../../worker/state/recover/losses.ts';
import { verify } from '../../../worker/state/recover/verify.ts';
import { openState, upsert } from '../../kit/worker/fixture.ts';

const dayMs = 24 * 3_600_000;
const startMs = Date.UTC(2026, 0, 1);

/** A version 7 GUID made at a time. */
function timed(n: number, ms: number): string {
  const time = ms.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${String(n).padStart(12, '0')}`;
}

function plain(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

const writeOf = (guid: string): WriteEnvelope => ({ ...upsert('w', 'w'), eventGuid: guid });

function accept(local: Local, guid: string, nowMs: number): number {
  const [done] = local.journal.append([writeOf(guid)], nowMs);
  if (!done || done instanceof TidemarkError) throw done ?? new TypeError('nothing was appended');
  return done.seq;
}

function strip(local: Local): void {
  local.journal.strip('queue', local.journal.readAfter('queue', 0, 1_000, 1e9));
}

function forget(local: Local, nowMs: number, bounds = { ms: 30 * dayMs, entries: 1e9 }): void {
  while (local.journal.horizon.step(nowMs, bounds));
}

const answerTo = (local: Local, guid: string, nowMs: number) =>
  local.journal.append([writeOf(guid)], nowMs)[0];

const known = ({ store }: Local) => store.db.prepare('select count(*) from known').pluck().get();

describe('the dedup horizon', () => {
  test('a repeat is known within it, refused EXPIRED behind it where its GUID has a time (I3, I13)', () => {
    const local = openState();
    const guids = Array.from({ length: 60 }, (_, day) => timed(day, startMs + day * dayMs));
    const seqs = guids.map((guid, day) => accept(local, guid, startMs + day * dayMs + 5));
    strip(local);
    const nowMs = startMs + 60 * dayMs;
    forget(local, nowMs);
    expect(known(local)).toBe(30);
    expect(answerTo(local, guids[59] ?? '', nowMs)).toEqual({ seq: seqs[59], isNew: false });
    expect(answerTo(local, guids[29] ?? '', nowMs)).toMatchObject({ code: 'EXPIRED' });
    // Never seen, and as old as what was forgotten: it cannot be told from that.
    expect(answerTo(local, timed(999, startMs + 3 * dayMs), nowMs)).toMatchObject({
      code: 'EXPIRED',
    });
    expect(answerTo(local, timed(998, startMs + 31 * dayMs), nowMs)).toMatchObject({ isNew: true });
    expect(verify(local.store.db)).toEqual({ Problems: [], Losses: [] });
    expect(findLosses(local.store.db, null, true)).toEqual([]);
  });

  test('an entry is forgotten only when the time in its GUID is past as well; one of next year has none (I3)', () => {
    const local = openState();
    accept(local, timed(1, startMs + 400 * dayMs), startMs);
    accept(local, timed(2, startMs + 3_600_000), startMs);
    accept(local, plain(3), startMs);
    strip(local);
    forget(local, startMs + 30 * dayMs + 1_000);
    expect(known(local)).toBe(2);
    expect(local.journal.horizon.get().guidMs).toBe(0);
    forget(local, startMs + 30 * dayMs + 3_600_001);
    expect(known(local)).toBe(0);
    expect(local.journal.horizon.get().guidMs).toBe(startMs + 3_600_000);
  });

  test('by number the oldest go; what still has its body stays, and goes with it (I6, I13)', () => {
    const local = openState();
    for (let n = 0; n < 10; n++) accept(local, timed(n, startMs + n), startMs + n);
    const all = local.journal.readAfter('queue', 0, 100, 1e9);
    local.journal.strip('queue', all.slice(0, 3).concat(all.slice(4)));
    forget(local, startMs + 100, { ms: 30 * dayMs, entries: 4 });
    expect(known(local)).toBe(5);
    expect(local.journal.read(all[3]?.seq ?? 0)?.eventGuid).toBe(timed(3, startMs + 3));
    local.journal.strip('queue', all.slice(3, 4));
    expect(known(local)).toBe(4);
    expect(local.journal.counts('queue')).toMatchObject({
      accepted: 10,
      stripped: 10,
      forgotten: 6,
    });
    expect(verify(local.store.db)).toEqual({ Problems: [], Losses: [] });
  });

  test('what is in effect is told: all of it while nothing was forgotten, less where the number was met', () => {
    const local = openState();
    const bounds = { ms: 30 * dayMs, entries: 2 };
    for (let n = 0; n < 5; n++) accept(local, plain(n), startMs + n * 1_000);
    expect(local.journal.horizon.view(startMs + 5_000, bounds)).toEqual({
      ForMs: 30 * dayMs,
      Entries: 2,
      Known: 5,
    });
    strip(local);
    forget(local, startMs + 5_000, bounds);
    expect(local.journal.horizon.view(startMs + 5_000, bounds)).toEqual({
      ForMs: 3_000,
      Entries: 2,
      Known: 2,
    });
  });
});
