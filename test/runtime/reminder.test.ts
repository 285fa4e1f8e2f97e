/**
 * What lasts is said when it is news, and again after a while; not each time somebody finds it so.
 */
import { expect, test } from 'vitest';
import { Reminder } from '../../runtime/reminder.ts';
import { ManualClock } from '../kit/manual-clock.ts';

test('the same is said once in a while, another at once, and after forgetting all is news', async () => {
  const clock = new ManualClock();
  const reminder = new Reminder(60_000, clock);
  const due = (what: string) => reminder.isDue(what);
  expect([due('no bus'), due('no bus')]).toEqual([true, false]);
  await clock.advance(59_999);
  expect(due('no bus')).toBe(false);
  await clock.advance(1);
  expect([due('no bus'), due('no bus'), due('no way in'), due('no bus')]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  reminder.forget();
  expect([due('no bus'), due('no bus')]).toEqual([true, false]);
});
