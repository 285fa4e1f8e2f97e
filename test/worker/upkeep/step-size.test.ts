/** Background steps follow the time they take. */
import { expect, test } from 'vitest';
import { openState, upsert } from '../../kit/worker/fixture.ts';
import { StepSize } from '../../../worker/upkeep/step-size.ts';

test('a step that takes too long is halved down to one entry, and grows back no further than its bound (I13)', () => {
  const size = new StepSize({ most: 100, ms: 5 });
  size.took(4);
  expect(size.entries).toBe(100);
  for (let step = 0; step < 10; step++) size.took(50);
  expect(size.entries).toBe(1);
  for (let step = 0; step < 100; step++) size.took(1);
  expect(size.entries).toBe(100);
  const atLeast = new StepSize({ least: 40, most: 100, ms: 5 });
  for (let step = 0; step < 10; step++) atLeast.took(50);
  expect(atLeast.entries).toBe(40);
});

test('forgetting ends in the middle of a step when its time is over, and goes on from there (I13)', () => {
  const { journal } = openState();
  const writes = Array.from({ length: 100 }, (_, n) => upsert(`k${n}`, `n${n}`));
  const seqs = journal.append(writes, 1).map((one) => ('seq' in one ? one.seq : 0));
  journal.stripSeqs('queue', seqs);
  let rows = 0;
  const isOver = () => ++rows % 7 === 0;
  const bounds = { ms: 1, entries: 1e9 };
  expect(journal.horizon.step(1e12, bounds, isOver)).toBe(true);
  expect(journal.horizon.known()).toBe(93);
  expect(journal.horizon.get().throughSeq).toBe(seqs[6]);
  while (journal.horizon.step(1e12, bounds, isOver));
  expect(journal.horizon.known()).toBe(0);
  expect(rows).toBe(100);
});
