/** What reads may take: the view of the journal is not caught up with the last room on the disk. */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { LaneView, type LaneViewOptions } from '../../../worker/reads/lane-view.ts';
import { openState, upsert } from '../../kit/worker/fixture.ts';

test('with the reserve given up a read waits for what it would write, and goes on with what is there', async () => {
  const local = openState();
  const disk = { isOut: false };
  const view = new LaneView({
    lane: 'queue',
    ...local,
    delivery: { mark: () => null },
    isOut: () => disk.isOut,
  } as unknown as LaneViewOptions);
  local.journal.append([upsert('a', 'x')], 1);
  await view.catchUp();
  disk.isOut = true;
  await view.catchUp();
  local.journal.append([upsert('b', 'y')], 1);
  await expect(view.catchUp()).rejects.toMatchObject({
    code: 'OVERLOADED',
    retryAfterMs: limits.overloadedRetryMs,
  });
  expect(local.projection.position('queue')).toBeLessThan(local.journal.counts('queue').head);
  disk.isOut = false;
  await view.catchUp();
  expect(local.projection.position('queue')).toBe(local.journal.counts('queue').head);
});
