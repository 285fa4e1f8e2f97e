/**
 * A reader of events that does not read: nothing piles up for it, and it is let go; over a real
 * store, with a clock that stands still.
 */
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { Fleet } from '../../../worker/console/fleet.ts';
import { History } from '../../../worker/console/history.ts';
import { eventHandlers } from '../../../worker/http/events.ts';
import { mount } from '../../../worker/http/routes.ts';
import { Live } from '../../../worker/console/live.ts';
import { patch, silent } from '../../kit/worker/fixture.ts';
import { LaneRun } from '../../kit/worker/lane-run.ts';

test('one that takes nothing is let go after a while; one that reads late gets the newest status once', async () => {
  const run = LaneRun.ofTest();
  await run.rest();
  run.isPaused = true;
  const { clock, overview } = run;
  const history = new History({
    clock,
    accepted: () => run.local.journal.counts('queue').accepted,
    pending: () => overview.pending('queue'),
  });
  let counted = 0;
  const live = new Live({
    status: (balance) => {
      counted += 1;
      return overview.status(balance);
    },
    balance: () => overview.balances(),
    beacons: () => [],
    history,
    fleet: {} as Fleet,
    clock,
    log: silent,
  });
  history.start((sample, isNews) => live.sample(sample, isNews));
  const app = new Hono();
  mount(app, eventHandlers({ live, history, clock }));

  live.touch();
  await clock.advance(limits.liveGapMs * 3);
  expect(counted).toBe(0);

  const late = await app.request('/api/events');
  for (let n = 0; n < 20; n += 1) {
    run.append(patch('a', `n${n}`, { N: n }));
    live.touch();
    await clock.advance(limits.liveGapMs);
    await nextTurn();
  }
  expect(live.listeners).toBe(1);
  const reader = late.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('"Accepted":20')) text += (await reader?.read())?.value ?? '';
  expect(text.match(/^event: status$/gm)?.length).toBeLessThan(5);
  await reader?.cancel();
  for (let n = 0; n < 5 && live.listeners > 0; n += 1) await nextTurn();
  expect(live.listeners).toBe(0);

  await app.request('/api/events');
  expect(live.listeners).toBe(1);
  for (let n = 0; n < 60 && live.listeners > 0; n += 1) {
    run.append(patch('a', `m${n}`, { N: n }));
    live.touch();
    await clock.advance(limits.liveStuckMs / 30);
    await nextTurn();
  }
  expect(live.listeners).toBe(0);
  const before = counted;
  live.touch();
  await clock.advance(limits.liveGapMs * 3);
  expect(counted).toBe(before);
});
