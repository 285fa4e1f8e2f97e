/**
 * The life of a store with copies that get lost, for the merge: steps, a model, and what must hold.
 */
import { copyFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect } from 'vitest';
import { type Lane, laneIndex, lanes } from '../../../contracts/subjects.ts';
import { guidBytes } from '../../../worker/state/entry-identity.ts';
import type { Local } from '../../../worker/journal/local.ts';
import { mergeAll, type Merged } from '../../../worker/state/recover/merge.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { openDatabase } from '../../../worker/state/recover/salvage.ts';
import { guidOf } from '../rows/trace.ts';
import { manifest, openState, patch, upsert } from './fixture.ts';

const [beacon, connection] = ['db-1', 1];

/** What the one database has, by EventGUID; every store of a lineage delivers to it. */
export type Backend = Set<string>;

type Step =
  | { op: 'append'; lane: Lane; count: number }
  | { op: 'deliver'; lane: Lane; count: number; dead: number }
  | { op: 'strip'; lane: Lane; count: number }
  | { op: 'drop'; lane: Lane };

const laneArb = fc.constantFrom<Lane>(...lanes);
const stepArb: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('append' as const),
      lane: laneArb,
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('deliver' as const),
      lane: laneArb,
      count: fc.integer({ min: 1, max: 8 }),
      dead: fc.integer({ min: 0, max: 9 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('strip' as const),
      lane: laneArb,
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('drop' as const), lane: laneArb }) },
);
export const lifeArb = fc.array(stepArb, { maxLength: 14 });

function envelopeOf(lane: Lane, name: string) {
  const n = Number(name.replaceAll(/\D/g, ''));
  if (lane === 'manifest') return manifest(`m${n % 5}`, name);
  return n % 2
    ? upsert(`w${n % 7}`, name, { Priority: n })
    : patch(`w${n % 7}`, name, { Result: name });
}

/** One worker over one file. */
export class Life {
  readonly local: Local;
  readonly accepted = new Map<string, { lane: Lane; seq: number }>();
  readonly #name: string;
  readonly #backend: Backend;

  constructor(path: string, name: string, backend: Backend) {
    this.local = openState(path);
    this.#name = name;
    this.#backend = backend;
  }

  get db() {
    return this.local.store.db;
  }

  mark(lane: Lane) {
    return this.local.marks.open(
      beacon,
      connection,
      lane,
      0,
      this.local.journal.counts(lane).stripped,
    );
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      if (step.op === 'append') this.#append(step.lane, step.count);
      else if (step.op === 'deliver') this.#deliver(step.lane, step.count, step.dead);
      else if (step.op === 'strip') this.#strip(step.lane, step.count);
      else this.#drop(step.lane);
    }
  }

  #append(lane: Lane, count: number): void {
    const names = Array.from(
      { length: count },
      (_, n) => `${this.#name}-${this.accepted.size + n}`,
    );
    const results = this.local.journal.append(
      names.map((name) => envelopeOf(lane, name)),
      1_000,
    );
    names.forEach((name, at) =>
      this.accepted.set(guidOf(name), { lane, seq: (results[at] as { seq: number }).seq }),
    );
  }

  #deliver(lane: Lane, count: number, dead: number): void {
    const { database, seq } = this.mark(lane);
    const waiting = this.local.blocked.waitingKeys(database, lane);
    const dying = new Set<string>();
    const entries = this.local.journal.readAfter(lane, seq, count, 1e9);
    const last = entries.at(-1);
    if (!last) return;
    const blocked = entries.flatMap((entry, at) => {
      const state =
        dying.has(entry.key) || waiting.has(entry.key)
          ? ('parked' as const)
          : at === dead
            ? ('dead' as const)
            : null;
      if (state === null) return [];
      dying.add(entry.key);
      return [
        {
          seq: entry.seq,
          key: entry.key,
          state,
          reason: state === 'dead' ? 'rejected: test' : null,
        },
      ];
    });
    const isBlocked = new Set(blocked.map((one) => one.seq));
    const dropped = this.local.blocked.droppedAbove(database, lane, seq);
    const gone = entries.filter((entry) => !isBlocked.has(entry.seq) && !dropped.has(entry.seq));
    for (const entry of gone) this.#backend.add(entry.eventGuid);
    this.local.marks.settle(database, lane, {
      throughSeq: last.seq,
      throughGuid: guidBytes(last.eventGuid),
      recordedMs: 1,
      nowMs: 2,
      applied: gone.length,
      present: 0,
      blocked,
      carrier: 'batch',
    });
  }

  #strip(lane: Lane, count: number): void {
    const { seq } = this.mark(lane);
    this.local.journal.strip(
      lane,
      this.local.journal
        .readAfter(lane, 0, count, 1e9)
        .filter((entry) => entry.seq <= seq && !this.local.blocked.isHolding(entry.seq)),
    );
  }

  #drop(lane: Lane): void {
    const { database } = this.mark(lane);
    const first = this.local.blocked
      .list(database, 100)
      .find((one) => one.lane === laneIndex(lane));
    if (first) this.local.blocked.drop(database, first.seq, 3);
  }

  copyTo(path: string): void {
    this.db.prepare('vacuum into ?').run(path);
  }

  /** I10, with every part counted from the rows. */
  difference(lane: Lane): number {
    const { journal, blocked } = this.local;
    const mark = this.mark(lane);
    const parts = (['dead', 'dropped', 'parked'] as const).map((state) =>
      blocked.count(mark.database, lane, state),
    );
    const rest =
      mark.applied +
      mark.present +
      mark.skipped +
      journal.countAfter(lane, mark.seq) +
      parts.reduce((a, b) => a + b, 0);
    return journal.counts(lane).accepted - rest;
  }

  entries() {
    return this.db.prepare('select seq, lane, guid, body is null as bare from entry').all() as {
      seq: number;
      lane: number;
      guid: Buffer;
      stripped: number;
    }[];
  }
}

export function mergeFile(
  life: Life,
  path: string,
  options: { isReplayRunning?: boolean } = {},
): Merged {
  const source = openDatabase(path, null);
  try {
    return mergeAll(life.db, source, {
      nowMs: 5,
      isReplayRunning: options.isReplayRunning ?? false,
      stepEntries: 3,
    });
  } finally {
    source.close();
  }
}

/** Aborts the transaction that inserts this entry, as a crash would. */
export function failAt(life: Life, seq: number): () => void {
  life.db.exec(
    `create temp trigger crash before insert on known when new.seq = ${seq} begin select raise(abort, 'crash'); end`,
  );
  return () => life.db.exec('drop trigger crash');
}

export function check(
  life: Life,
  lives: readonly Life[],
  backend: Backend,
  marksBefore: Record<Lane, number>,
): void {
  const union = new Map(lives.flatMap((one) => [...one.accepted]));
  const rows = life.entries();
  expect(rows.map((row) => row.guid.toString('hex')).sort()).toEqual(
    [...union.keys()].map((guid) => guidBytes(guid).toString('hex')).sort(),
  );
  const seqs = new Map(rows.map((row) => [row.guid.toString('hex'), row.seq]));
  for (const [guid, { seq }] of union) expect(seqs.get(guidBytes(guid).toString('hex'))).toBe(seq);
  for (const lane of lanes) {
    const mark = life.mark(lane);
    expect(mark.seq, 'I4').toBeGreaterThanOrEqual(marksBefore[lane]);
    expect(life.difference(lane), `I10 ${lane}`).toBe(0);
    for (const row of rows.filter(
      (one) => one.lane === laneIndex(lane) && one.seq <= mark.seq && !one.stripped,
    )) {
      const isBlocked = life.local.blocked.get(mark.database, row.seq) !== null;
      const guid = [...union.keys()].find((one) => guidBytes(one).equals(row.guid)) ?? '';
      expect(isBlocked || backend.has(guid), `I5 ${guid} at ${row.seq}, mark ${mark.seq}`).toBe(
        true,
      );
    }
  }
}

export function lostStoreOf(
  path: string,
  copy: string,
  name: string,
  n: number,
  backend: Backend,
  of: Life,
): Life {
  const { db } = pathsOf(path);
  copyFileSync(copy, db);
  const ghost = new Life(path, name, backend);
  for (const [guid, at] of of.accepted) ghost.accepted.set(guid, at);
  // Two starts in one millisecond do not happen to one store; here they do.
  skipSeqs(ghost, (n + 1) * 1_000_000);
  return ghost;
}

export function skipSeqs(life: Life, count: number): void {
  life.db.prepare("update sqlite_sequence set seq = seq + ? where name = 'known'").run(count);
}
