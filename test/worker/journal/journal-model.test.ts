/**
 * The journal against a model of it, over random lists of what can happen: appends, repeats, other
 * content, retention, restarts.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { WriteEnvelope } from '../../../contracts/envelope.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { tempDir } from '../../kit/temp-dir.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { hubId, manifest, upsert } from '../../kit/worker/fixture.ts';

type Item = { lane: Lane; name: number; content: number };
type Step =
  | { do: 'append'; items: Item[] }
  | { do: 'strip'; lane: Lane; count: number }
  | { do: 'reopen' };

const lane = fc.constantFrom<Lane>('queue', 'manifest');
const item: fc.Arbitrary<Item> = fc.record({
  lane,
  name: fc.nat({ max: 9 }),
  content: fc.nat({ max: 2 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      items: fc.array(item, { minLength: 1, maxLength: 6 }),
    }),
    weight: 4,
  },
  {
    arbitrary: fc.record({ do: fc.constant('strip' as const), lane, count: fc.nat({ max: 4 }) }),
    weight: 1,
  },
  { arbitrary: fc.constant({ do: 'reopen' as const }), weight: 1 },
);

/** What the journal should hold: entries by name, in the order of acceptance. */
class Model {
  readonly entries = new Map<number, Item & { seq: number; hasBody: boolean }>();
  last = 0;

  of(which: Lane) {
    return [...this.entries.values()].filter((one) => one.lane === which);
  }
}

function envelopeOf({ lane: which, name, content }: Item): WriteEnvelope {
  const fields = { Status: `s${content}`, Odd: { a: content, b: [content] } };
  return which === 'queue'
    ? upsert(`k${name % 3}`, String(name), fields)
    : manifest(`k${name % 3}`, String(name), fields);
}

class Run {
  readonly #dir = tempDir('journal-model');
  readonly #model = new Model();
  #store = openStore(this.#dir.path);
  #local = openLocal(this.#store, hubId);

  take(one: Step): void {
    if (one.do === 'append') this.#append(one.items);
    else if (one.do === 'strip') this.#strip(one.lane, one.count);
    else this.#reopen();
    this.#compare();
  }

  #append(items: Item[]): void {
    const results = this.#local.journal.append(items.map(envelopeOf), 7);
    items.forEach((given, at) => {
      const result = results[at];
      const known = this.#model.entries.get(given.name);
      if (!known) {
        if (!result || result instanceof TidemarkError)
          throw new Error(`refused: ${String(result)}`);
        expect(result.isNew).toBe(true);
        expect(result.seq).toBeGreaterThan(this.#model.last);
        this.#model.last = result.seq;
        this.#model.entries.set(given.name, { ...given, seq: result.seq, hasBody: true });
      } else if (known.lane === given.lane && known.content === given.content)
        expect(result).toEqual({ seq: known.seq, isNew: false });
      else expect(result).toMatchObject({ code: 'CONFLICT' });
    });
  }

  #strip(which: Lane, count: number): void {
    const due = this.#local.journal
      .readAfter(which, this.#local.journal.counts(which).strippedThrough, count, 1e9)
      .slice(0, count);
    this.#local.journal.strip(which, due);
    for (const one of this.#model
      .of(which)
      .filter((entry) => entry.hasBody)
      .slice(0, count))
      one.hasBody = false;
  }

  #reopen(): void {
    this.#store.close();
    this.#store = openStore(this.#dir.path);
    this.#local = openLocal(this.#store, hubId);
  }

  #compare(): void {
    const { journal } = this.#local;
    for (const which of ['queue', 'manifest'] as const) {
      const all = this.#model.of(which);
      const bodies = all.filter((one) => one.hasBody);
      expect(journal.readAfter(which, 0, 1_000, 1e9).map((entry) => entry.seq)).toEqual(
        bodies.map((one) => one.seq),
      );
      expect(journal.counts(which)).toMatchObject({
        accepted: all.length,
        head: all.at(-1)?.seq ?? 0,
        strippedThrough: all.findLast((one) => !one.hasBody)?.seq ?? 0,
      });
      expect(journal.countAfter(which, 0)).toBe(bodies.length);
    }
    for (const one of this.#model.entries.values())
      expect(journal.find(guidOf(String(one.name)))?.seq).toBe(one.seq);
  }

  end(): void {
    this.#store.close();
    this.#dir[Symbol.dispose]();
  }
}

test('journal — after any appends, repeats, conflicts, retention, restarts it equals the model (I2, I3)', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
      const run = new Run();
      try {
        for (const one of steps) run.take(one);
      } finally {
        run.end();
      }
    }),
    { numRuns: 60 },
  );
});
