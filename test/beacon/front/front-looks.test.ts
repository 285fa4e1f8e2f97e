/**
 * Looks of a fronted server that take longer than anybody waits: joined, kept for who asks next,
 * and not told twice for something newer.
 */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { FrontLooks } from '../../../beacon/front/front-looks.ts';
import { ManualClock } from '../../kit/manual-clock.ts';

/** @param ms how long each look takes */
function start(ms: number): { clock: ManualClock; looks: FrontLooks; asked: () => number } {
  const clock = new ManualClock();
  let asked = 0;
  const looks = new FrontLooks(async () => {
    const TableCount = ++asked;
    await clock.sleep(ms);
    return { TableCount };
  }, clock);
  return { clock, looks, asked: () => asked };
}

async function told(clock: ManualClock, answer: Promise<object>): Promise<unknown> {
  const ended = answer.catch((error: unknown) => error);
  await clock.advance(limits.bootstrapStepMs);
  return ended;
}

test('a look that takes minutes is joined until it is over, and a bootstrap of two steps ends', async () => {
  const { clock, looks, asked } = start(150_000);
  expect(await told(clock, looks.look(1, false))).toMatchObject({ code: 'UNAVAILABLE' });
  expect(await told(clock, looks.look(1, false))).toMatchObject({ code: 'UNAVAILABLE' });
  expect(await told(clock, looks.look(1, false))).toEqual({ TableCount: 1 });
  expect(await told(clock, looks.look(1, true))).toEqual({ TableCount: 1 });
  expect(asked()).toBe(1);
});

test('what nobody waited for is there for who asks next, once', async () => {
  const { clock, looks, asked } = start(70_000);
  expect(await told(clock, looks.look(1, false))).toMatchObject({ code: 'UNAVAILABLE' });
  await clock.advance(15_000);
  expect(await told(clock, looks.look(1, false))).toEqual({ TableCount: 1 });
  expect(await told(clock, looks.look(1, false))).toMatchObject({ code: 'UNAVAILABLE' });
  expect(asked()).toBe(2);
});

test('who wants it new gets it new, and an answer told before does for one step', async () => {
  const { clock, looks } = start(10);
  for (const [mayRepeat, count] of [
    [false, 1],
    [false, 2],
    [true, 2],
    [true, 3],
  ] as const) {
    const answer = looks.look(1, mayRepeat);
    await clock.advance(20);
    expect(await answer).toEqual({ TableCount: count });
  }
  await clock.advance(limits.bootstrapStepMs * 2);
  expect(clock.waiting).toBe(0);
});

test('a look that failed is not kept', async () => {
  const clock = new ManualClock();
  const looks = new FrontLooks(() => Promise.reject(new Error('away')), clock);
  for (let n = 0; n < 2; n++) await expect(looks.look(1, true)).rejects.toThrow('away');
  expect(clock.waiting).toBe(0);
});
