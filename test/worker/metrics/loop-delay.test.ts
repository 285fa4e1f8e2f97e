/** The delay of the event loop: a long turn is seen, by everybody who asks, and in time forgotten. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { LoopDelay } from '../../../worker/metrics/loop-delay.ts';
import { ManualClock } from '../../kit/manual-clock.ts';

test('a turn that holds up answers is seen by each scrape, and forgotten after two windows (I13)', async () => {
  const clock = new ManualClock();
  const delay = new LoopDelay(clock);
  expect(delay.get()).toEqual({ longest: 0, usual: 0 });
  delay.start();
  onTestFinished(() => delay.stop());
  await sleep(5 * limits.loopDelayResolutionMs);
  const untilMs = performance.now() + 300;
  while (performance.now() < untilMs);
  await sleep(5 * limits.loopDelayResolutionMs);
  const seen = delay.get();
  expect(seen.longest).toBeGreaterThan(0.25);
  expect(seen.longest).toBeGreaterThanOrEqual(seen.usual);
  expect(delay.get().longest).toBeGreaterThanOrEqual(seen.longest);
  await clock.advance(limits.loopDelayWindowMs);
  expect(delay.get().longest).toBeGreaterThanOrEqual(seen.longest);
  await sleep(5 * limits.loopDelayResolutionMs);
  await clock.advance(limits.loopDelayWindowMs);
  expect(delay.get().longest).toBeLessThan(seen.longest);
});
