/** The journal's view for reads: made in steps, and no further than somebody wants it. */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { openState, upsert } from '../../kit/worker/fixture.ts';

function backlog() {
  const { journal, projection } = openState();
  journal.append(
    Array.from({ length: 5 * limits.projectionStepEntries }, (_, n) => upsert(`k${n}`, `n${n}`)),
    1,
  );
  const goesOnFor = (steps: number) => () => steps-- > 0;
  return { projection, head: journal.counts('queue').head, goesOnFor };
}

test('work ahead of any read ends between two steps for something better, and keeps what it has', async () => {
  const { projection, head, goesOnFor } = backlog();
  await projection.catchUp('queue', goesOnFor(3));
  expect(projection.row('UVQueueWorkItem', 'k0')).not.toBeNull();
  expect(projection.position('queue')).toBeLessThan(head);
  await projection.catchUp('queue', goesOnFor(0));
  expect(projection.position('queue')).toBeLessThan(head);
  await projection.catchUp('queue');
  expect(projection.position('queue')).toBe(head);
});

test('a read that waits for work begun ahead has all of it, though that work ends early', async () => {
  const { projection, head, goesOnFor } = backlog();
  const ahead = projection.catchUp('queue', goesOnFor(3));
  await Promise.all([projection.catchUp('queue'), projection.catchUp('queue')]);
  expect(projection.position('queue')).toBe(head);
  await ahead;
  expect(
    projection.row('UVQueueWorkItem', `k${5 * limits.projectionStepEntries - 1}`),
  ).not.toBeNull();
});
