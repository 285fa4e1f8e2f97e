/**
 * The count of undelivered entries against counting them all, over random lists of what can happen
 * to a journal between two looks.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UndeliveredCount } from '../../../worker/journal/undelivered-count.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { manifest, openState, upsert } from '../../kit/worker/fixture.ts';

type Step =
  | { do: 'append' | 'strip' | 'hole' | 'merge'; count: number }
  | { do: 'move'; percent: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom(
      'append' as const,
      'append' as const,
      'strip' as const,
      'hole' as const,
      'merge' as const,
    ),
    count: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ do: fc.constant('move' as const), percent: fc.integer({ min: 0, max: 100 }) }),
);

/**
 * Real entries of both lanes; merged ones are put into holes of the numbering, as a rescue does.
 */
class Run {
  readonly #local = openState();
  readonly clock = new ManualClock();
  readonly #counted: UndeliveredCount;
  #names = 0;
  #seq = 0;

  constructor(bounds: { wholeEntries: number; wholeMs: number; sliceEntries?: number }) {
    this.#counted = new UndeliveredCount(this.#local.journal, this.clock, bounds);
  }

  take(one: Step): void {
    if (one.do === 'move') this.#move(one.percent);
    else if (one.do === 'strip')
      this.#local.journal.strip('queue', this.#local.journal.readAfter('queue', 0, one.count, 1e9));
    else if (one.do === 'hole')
      this.#db
        .prepare('update sqlite_sequence set seq = seq + ? where name = ?')
        .run(one.count, 'known');
    else if (one.do === 'append')
      this.#local.journal.append(
        Array.from({ length: one.count }, () => this.#write()),
        1,
      );
    else this.#merge(one.count);
  }

  get #db() {
    return this.#local.store.db;
  }

  #write() {
    this.#names += 1;
    return this.#names % 3 === 0
      ? manifest(`m${this.#names}`, `n${this.#names}`)
      : upsert(`k${this.#names}`, `n${this.#names}`);
  }

  /** To that part of the entries there are; 0 is below all. */
  #move(percent: number): void {
    const seqs = this.#db.prepare('select seq from entry order by seq').pluck().all() as number[];
    this.#seq =
      percent === 0
        ? 0
        : (seqs[Math.min(seqs.length - 1, Math.floor((percent / 100) * seqs.length))] ?? 0);
  }

  #merge(count: number): void {
    const free = this.#db
      .prepare<[number], { seq: number }>(
        'select seq - 1 as seq from entry e where seq > 1 and not exists (select 1 from ' +
          'entry f where f.seq = e.seq - 1) limit ?',
      )
      .all(count);
    for (const { seq } of free) {
      this.#names += 1;
      this.#db
        .prepare(
          'insert into queue_body (seq, action, guid, key, accepted_ms, body) values (?, ?, ?, ?, 1, ?)',
        )
        .run(seq, 'QP_UpsertWorkItem', Buffer.from(`merged${this.#names}`.padEnd(16)), 'k', '{}');
      this.#db
        .prepare('insert into known (seq, lane, guid, accepted_ms) values (?, 0, ?, 1)')
        .run(seq, Buffer.from(`merged${this.#names}`.padEnd(16)));
      this.#db.prepare('update lane set accepted = accepted + 1 where lane = 0').run();
    }
  }

  compare(): void {
    expect(this.#counted.above('queue', this.#seq)).toBe(
      this.#local.journal.countAfter('queue', this.#seq),
    );
  }

  /** What only counting all over again can find. */
  loseOne(): void {
    this.#db
      .prepare(
        'delete from queue_body where seq = (select seq from queue_body ' +
          'order by seq desc limit 1 offset 1)',
      )
      .run();
  }

  get wholeCount(): number {
    return this.#local.journal.countAfter('queue', this.#seq);
  }

  get count(): number {
    return this.#counted.above('queue', this.#seq);
  }
}

test('whatever happens between two looks, it is what counting them all gives (I10)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 14 }),
      (looks) => {
        const run = new Run({ wholeEntries: 0, wholeMs: Number.POSITIVE_INFINITY });
        for (const steps of looks) {
          for (const one of steps) run.take(one);
          run.compare();
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('the same while a long backlog is being counted anew, a few entries with each look (I10, I13)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(step, { maxLength: 3 }), { minLength: 1, maxLength: 20 }),
      (looks) => {
        const run = new Run({ wholeEntries: 0, wholeMs: 0, sliceEntries: 2 });
        for (const steps of looks) {
          for (const one of steps) run.take(one);
          run.compare();
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('a long backlog is never counted whole in one look, and a missing entry is found (I10, I13)', async () => {
  const run = new Run({ wholeEntries: 5, wholeMs: 60_000, sliceEntries: 10 });
  run.take({ do: 'append', count: 90 });
  const before = run.count;
  run.loseOne();
  await run.clock.advance(60_000);
  const counts: number[] = [];
  for (let look = 0; look < 8; look++) {
    counts.push(run.count);
    run.take({ do: 'append', count: 1 });
  }
  expect(counts.slice(0, 4).every((count) => count >= before)).toBe(true);
  expect(run.count).toBe(run.wholeCount);
});

test('a missing entry is noticed at once in a short backlog, in a long one with the next count (I10)', async () => {
  for (const [wholeEntries, isMissedAtOnce] of [
    [100, true],
    [5, false],
  ] as const) {
    const run = new Run({ wholeEntries, wholeMs: 60_000 });
    run.take({ do: 'append', count: 30 });
    const before = run.count;
    run.loseOne();
    expect(run.count).toBe(isMissedAtOnce ? before - 1 : before);
    await run.clock.advance(60_000);
    expect(run.count).toBe(before - 1);
  }
});
