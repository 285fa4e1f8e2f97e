/**
 * What reads need is made ready beside light traffic that never stops, so that a read after a long
 * time without one is answered at once.
 */
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { Stack } from '../kit/processes/stack.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { until } from '../kit/until.ts';

test('the view for reads follows writes that come several times a second, and nobody reads', async () => {
  await using stack = await Stack.start();
  const db = new Database(stack.workerFile('state', 'state.db'), { readonly: true });
  const position = () =>
    Number(db.prepare('select seq from projection where lane = 0').pluck().get());
  const head = () => Number(db.prepare('select head from lane where lane = 0').pluck().get());
  try {
    const before = head();
    let written = 0;
    // Never half a second without one.
    await until(
      'the view has come past where the writes were when it began',
      async () => {
        const body = {
          EventGUID: guidOf(`write-${written}`),
          Settings: { WorkItem: { WorkItemHash: `item-${written}` } },
        };
        written += 1;
        await stack.hub.request('tidemark.hub1.queue.QP_UpsertWorkItem', JSON.stringify(body), {
          'Content-Type': 'application/json',
        });
        return position() > before;
      },
      { everyMs: 40 },
    );
    expect(written).toBeGreaterThan(1);
  } finally {
    db.close();
  }
});
