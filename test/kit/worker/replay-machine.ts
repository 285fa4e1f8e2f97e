/**
 * Steps that fast-check takes with a replay over a model database, and what must hold after each.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { event, patch, upsert, write } from './fixture.ts';
import { LaneRun } from './lane-run.ts';
import type { Backup } from '../simulator/database.ts';
import type { Fault, ModelDatabase } from './scripted-carrier.ts';

const kinds = ['upsert', 'patch', 'event', 'attempt', 'outcome'] as const;
type Item = { key: string; kind: (typeof kinds)[number]; isRefused: boolean };
type Step =
  | { do: 'append'; items: Item[] }
  | { do: 'faults'; faults: Fault[] }
  | { do: 'retry' | 'drop'; which: number; isMended: boolean }
  | { do: 'flood'; count: number; bad: number }
  | { do: 'set'; which: number }
  | { do: 'restart' | 'pause' | 'assign' | 'backup' | 'restore' };

const item: fc.Arbitrary<Item> = fc.record({
  key: fc.constantFrom('k', 'l', 'm'),
  kind: fc.constantFrom(...kinds),
  isRefused: fc.oneof(
    { arbitrary: fc.constant(false), weight: 6 },
    { arbitrary: fc.constant(true), weight: 1 },
  ),
});
export const settling: fc.Arbitrary<Step>[] = [
  fc.record({
    do: fc.constant('append' as const),
    items: fc.array(item, { minLength: 1, maxLength: 8 }),
  }),
  fc.record({
    do: fc.constant('append' as const),
    items: fc.array(item, { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    do: fc.constant('flood' as const),
    count: fc.integer({ min: 60, max: 200 }),
    bad: fc.nat({ max: 400 }),
  }),
  fc.record({
    do: fc.constant('faults' as const),
    faults: fc.array(fc.constantFrom<Fault>('lose', 'fail'), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    do: fc.constantFrom('retry' as const, 'drop' as const),
    which: fc.nat({ max: 3 }),
    isMended: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom('restart' as const, 'pause' as const) }),
];
/** Marks moved by hand, anywhere from nothing to the head. */
export const moving: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('set' as const),
  which: fc.nat({ max: 400 }),
});
export const travelling: fc.Arbitrary<Step>[] = [
  ...settling,
  fc.record({ do: fc.constantFrom('assign' as const, 'backup' as const, 'restore' as const) }),
];

type Entry = Item & { name: number; seq: number };

/** A run and what is known of it: every accepted entry, and the marks last seen. */
class Machine {
  readonly #run: LaneRun;
  readonly #entries: Entry[] = [];
  readonly #marks = new Map<string, number>();
  /** Entries a set ever passed over: newer ones of their rows may have gone before them since. */
  readonly #skipped = new Set<number>();
  #backup: Backup | null = null;

  constructor(isAtomic: boolean) {
    this.#run = new LaneRun(isAtomic);
  }

  async take(step: Step): Promise<void> {
    await this.#do(step);
    await this.#run.rest();
    this.#check();
  }

  async #do(step: Step): Promise<void> {
    const run = this.#run;
    switch (step.do) {
      case 'append':
        return this.#append(step.items);
      case 'flood':
        return this.#append(
          Array.from({ length: step.count }, (_, at) => ({
            key: 'klm'[(at * 7) % 3] ?? 'k',
            kind: kinds[at % kinds.length] ?? 'event',
            isRefused: at === step.bad,
          })),
        );
      case 'faults':
        run.database.faults.push(...step.faults);
        return;
      case 'retry':
      case 'drop':
        return this.#release(step.do, step.which, step.isMended);
      case 'set':
        return this.#set(step.which);
      case 'restart':
        return run.restart();
      case 'pause':
        run.isPaused = !run.isPaused;
        return;
      case 'assign':
        run.assigned = { beacon: run.assigned?.beacon === 'a' ? 'b' : 'a', connection: 1 };
        run.returns();
        return;
      case 'backup':
        this.#backup = run.databases.get('a')?.backup() ?? null;
        return;
      case 'restore':
        if (!this.#backup) return;
        run.databases.get('a')?.restore(this.#backup);
        this.#marks.delete('a');
        run.returns();
    }
  }

  #append(items: Item[]): void {
    const entries = items.map((one, at) => ({ ...one, name: this.#entries.length + at, seq: 0 }));
    this.#run.append(...entries.map(envelopeOf)).forEach((seq, at) => {
      const entry = entries[at] as Entry;
      entry.seq = seq;
      if (entry.isRefused)
        for (const database of this.#run.databases.values()) database.refused.add(entry.name);
    });
    this.#entries.push(...entries);
  }

  #release(verb: 'retry' | 'drop', which: number, isMended: boolean): void {
    const { blocked } = this.#run.local;
    const database = this.#run.mark?.database ?? 0;
    const dead = blocked.list(database, 100);
    const one = dead[which % Math.max(dead.length, 1)];
    if (!one) return;
    const name = this.#entries.find((entry) => entry.seq === one.seq)?.name ?? -1;
    if (isMended) this.#run.database.refused.delete(name);
    expect(blocked[verb](database, one.seq, 1)).toBe(true);
  }

  async #set(which: number): Promise<void> {
    const run = this.#run;
    const wasPaused = run.isPaused;
    run.isPaused = true;
    await run.rest();
    const to = this.#entries[which % (this.#entries.length + 1)]?.seq ?? 0;
    const from = run.mark?.seq ?? 0;
    await run.markMover.set({ To: to, Lane: 'queue', Reason: 'the model', Force: true });
    for (const entry of this.#entries)
      if (entry.seq > from && entry.seq <= to) this.#skipped.add(entry.name);
    expect(run.mark?.seq).toBe(to);
    this.#marks.set(run.mark?.beacon ?? '', to);
    expect(run.balance.Difference, 'I10 while paused').toBe(0);
    run.isPaused = wasPaused;
  }

  #check(): void {
    const run = this.#run;
    const { mark, balance } = run;
    if (!mark) throw new Error('no mark');
    expect(balance.Accepted).toBe(this.#entries.length);
    expect(balance.Difference, 'I10').toBe(0);
    expect(mark.seq, 'I4').toBeGreaterThanOrEqual(this.#marks.get(mark.beacon) ?? 0);
    this.#marks.set(mark.beacon, mark.seq);
    if (run.isPaused) return;
    expect(mark.seq, 'everything is delivered at rest').toBe(
      run.local.journal.counts('queue').head,
    );
    this.#checkSettled(mark.database, run.database);
    this.#checkOrder(run.database);
  }

  /** I5: of each entry up to the mark the database has it, or it is held, and then for a reason. */
  #checkSettled(database: number, model: ModelDatabase): void {
    const has = new Set(model.names());
    const poisoned = new Set<string>();
    for (const entry of this.#entries) {
      const state = this.#run.local.blocked.get(database, entry.seq)?.state;
      if (state === 'dropped' && this.#skipped.has(entry.name)) continue;
      if (state === undefined)
        expect(
          has.has(entry.name) || this.#skipped.has(entry.name),
          `I5: entry ${entry.name} is settled and in the database`,
        ).toBe(true);
      else
        expect(has.has(entry.name), `entry ${entry.name} is ${state} and not in the database`).toBe(
          false,
        );
      if (state === 'dead') poisoned.add(entry.key);
      if (state === 'parked')
        expect(
          poisoned.has(entry.key),
          `I5: entry ${entry.name} is parked behind a dead letter of its key`,
        ).toBe(true);
      if (state === undefined)
        expect(
          poisoned.has(entry.key),
          `I7: entry ${entry.name} did not pass a dead letter of its key`,
        ).toBe(false);
    }
    for (const key of ['k', 'l', 'm']) {
      const last = this.#entries.findLast(
        (entry) =>
          entry.key === key &&
          has.has(entry.name) &&
          (entry.kind === 'upsert' || entry.kind === 'patch'),
      );
      expect(model.row('UVQueueWorkItem', key)?.['Status']).toBe(
        last ? `s${last.name}` : undefined,
      );
    }
  }

  /** I7: the writes of a key took effect in the order of their Seq. */
  #checkOrder(model: ModelDatabase): void {
    const last = new Map<string, number>();
    for (const { key, name } of model.effects) {
      if (this.#skipped.has(name)) continue;
      expect(name, `I7: key ${key}`).toBeGreaterThan(last.get(key) ?? -1);
      last.set(key, name);
    }
  }

  end(): Promise<void> {
    return this.#run.end();
  }
}

function envelopeOf({ key, kind, name }: Entry) {
  const mine = { [`F${name}`]: 1 };
  switch (kind) {
    case 'upsert':
      return upsert(key, `n${name}`, { Status: `s${name}`, Priority: name, ...mine });
    case 'patch':
      return patch(key, `n${name}`, { Status: `s${name}`, ...mine });
    case 'event':
      return event(key, `n${name}`, mine);
    case 'attempt':
      return write('QP_InsertAttempt', `n${name}`, {
        Attempt: { WorkItemHash: key, AttemptNumber: name % 2, BeaconID: `b${name}`, ...mine },
      });
    case 'outcome':
      return write('QP_UpdateAttemptOutcome', `n${name}`, {
        WorkItemHash: key,
        AttemptNumber: name % 2,
        Patch: { Outcome: `o${name}`, ...mine },
      });
  }
}

export async function runAll(isAtomic: boolean, steps: Step[]): Promise<void> {
  const machine = new Machine(isAtomic);
  try {
    for (const step of steps) await machine.take(step);
  } finally {
    await machine.end();
  }
}
