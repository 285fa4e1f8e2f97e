/**
 * What a worker reads for its console: the ring of samples, dead letters in pages, the writes of a
 * key; over a real store.
 */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { type DeadLetterOptions, deadLetterPage } from '../../../worker/operators/dead-letters.ts';
import { History } from '../../../worker/console/history.ts';
import { KeySearch, locateKey } from '../../../worker/console/locate-key.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { event, patch, upsert } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

test('the history keeps half an hour, oldest first, and says of each sample whether it is news', async () => {
  const clock = new ManualClock();
  let accepted = 10;
  const history = new History({ clock, accepted: () => accepted, pending: () => 4 });
  const news: boolean[] = [];
  history.start((_, isNews) => news.push(isNews));
  expect(history.newest()).toBeUndefined();
  expect(history.view().At).toEqual([]);
  await clock.advance(limits.historySampleMs * 3);
  accepted = 20;
  await clock.advance(limits.historySampleMs);
  expect(news).toEqual([true, false, false, true]);
  expect(history.view()).toMatchObject({
    SampleMs: limits.historySampleMs,
    Queue: { Accepted: [10, 10, 10, 20], Settled: [6, 6, 6, 16], Pending: [4, 4, 4, 4] },
  });
  for (let n = 0; n < limits.historySamplesMax; n += 1) {
    accepted += 1;
    await clock.advance(limits.historySampleMs);
  }
  const { At, Queue } = history.view();
  expect([
    At.length,
    Queue.Accepted[0],
    Queue.Accepted.at(-1),
    history.newest()?.Queue.Accepted,
  ]).toEqual([limits.historySamplesMax, 21, accepted, accepted]);
  expect(At.toSorted((a, b) => a - b)).toEqual(At);
  history.stop();
});

/** A lane with dead letters of the keys d1 to dn, and one-way messages that were refused. */
async function withDead(
  dead: number,
  refused: number,
): Promise<{ parts: DeadLetterOptions; seqs: number[] }> {
  const run = LaneRun.ofTest();
  const writes = Array.from({ length: dead }, (_, n) =>
    patch(`d${n}`, `n${n}`, { [`F${n + 1}`]: 1 }),
  );
  for (let n = 1; n <= dead; n += 1) run.database.refused.add(n);
  const seqs = run.append(...writes);
  await run.rest();
  for (let n = 0; n < refused; n += 1)
    run.local.refused.keep('tidemark-in.hub1.queue.X', Buffer.from('x'), `refused ${n}`, n);
  const mark = run.mark;
  return {
    parts: {
      ...run.local,
      deliveries: { queue: { mark: () => mark }, manifest: { mark: () => mark } },
    },
    seqs,
  };
}

test('pages of dead letters go through all of them once, refused messages behind, whatever their size', async () => {
  const { parts, seqs } = await withDead(7, 4);
  for (const Limit of [1, 2, 3, 7, 8, 11, 50]) {
    const seen: (number | null | undefined)[] = [];
    let pages = 0;
    for (let After: string | null = '0'; After !== null && pages < 20; pages += 1) {
      const page = deadLetterPage(parts, { After, Limit });
      expect(page.DeadLetters.length).toBeLessThanOrEqual(Limit);
      expect(page.Total).toBe(11);
      seen.push(...page.DeadLetters.map((one) => one.Seq ?? -(one.ID ?? 0)));
      After = page.Next;
    }
    expect([Limit, pages, seen]).toEqual([Limit, Math.ceil(11 / Limit), [...seqs, -1, -2, -3, -4]]);
  }
  expect(() => deadLetterPage(parts, { Limit: 0 })).toThrow(/Limit: expected/);
  expect(() => deadLetterPage(parts, { After: 'id-' })).toThrow(/After: expected/);
});

test('writes of a key are found newest first: newest entries, blocked ones, the last of each row', async () => {
  const run = LaneRun.ofTest();
  await run.rest();
  run.isPaused = true;
  const old = run.append(upsert('k', 'k-old', { Status: 'a' }), event('k', 'k-event'));
  await run.local.projection.catchUp('queue');
  const parts = {
    local: run.local,
    overview: run.overview,
    deliveries: { queue: { mark: () => run.mark }, manifest: { mark: () => null } },
  };
  const fill = Array.from({ length: 5_000 }, (_, n) => upsert(`other-${n}`, `other-${n}`));
  run.append(...fill);
  const young = run.append(patch('k', 'k-new', { Status: 'b' }));
  const all = await locateKey(parts, 'k', undefined);
  expect(all.Entries.map((one) => [one.Seq, one.State, one.Key])).toEqual(
    [...young, ...old.toReversed()].map((seq) => [seq, 'buffered', 'k']),
  );
  expect(all).toMatchObject({ Scanned: 5_003, IsComplete: true });
  expect((await locateKey(parts, 'k', 'manifest')).Entries).toEqual([]);

  for (let n = 1; n < limits.locateScanEntries / fill.length + 1; n += 1)
    run.append(...fill.map((_, at) => upsert(`o-${n}-${at}`, `o-${n}-${at}`)));
  const far = await locateKey(parts, 'k', 'queue');
  expect(far).toMatchObject({ Scanned: limits.locateScanEntries, IsComplete: false });
  expect(far.Entries.map((one) => one.Seq)).toEqual(old.toReversed());

  run.append(
    ...Array.from({ length: limits.locateEntriesMax + 10 }, (_, n) =>
      patch('many', `many-${n}`, { N: n }),
    ),
  );
  const many = await locateKey(parts, 'many', undefined);
  expect([many.Entries.length, many.IsComplete]).toEqual([limits.locateEntriesMax, false]);
  await expect(locateKey(parts, '', undefined)).rejects.toThrow(/key: expected/);
}, 120_000);

test('I14 — a flood of searches is one a turn, and refused beyond the bound: writers get theirs', async () => {
  const { local, overview } = LaneRun.ofTest();
  const { blocked, projection, journal } = local;
  let scans = 0;
  const findKey: (typeof journal)['findKey'] = (...given) => {
    scans += 1;
    return journal.findKey(...given);
  };
  const counted = {
    findKey,
    facts: journal.facts.bind(journal),
    counts: journal.counts.bind(journal),
  };
  const search = new KeySearch({
    overview,
    deliveries: { queue: { mark: () => null }, manifest: { mark: () => null } },
    local: { blocked, projection, journal: counted as typeof journal },
  });
  const searches = Array.from({ length: 100 }, () =>
    search.locate('none', undefined).catch((error: unknown) => (error as { code: string }).code),
  );
  for (let turn = 1; turn <= 3; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(scans).toBeLessThanOrEqual(turn + 1);
  }
  const ends = await Promise.all(searches);
  expect(ends.filter((end) => end === 'OVERLOADED')).toHaveLength(99 - limits.locateWaitingMax);
});
