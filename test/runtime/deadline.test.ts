/** Work is waited for only so long, and leaves neither a timer nor a complaint behind. */
import { expect, test } from 'vitest';
import { withDeadline } from '../../runtime/deadline.ts';
import { ManualClock } from '../kit/manual-clock.ts';

const late = () => 'late' as const;

test('what is done in time is the result, be it a failure, and no timer stays', async () => {
  const clock = new ManualClock();
  expect(await withDeadline(Promise.resolve(1), clock, 100, late)).toBe(1);
  await expect(withDeadline(Promise.reject(new Error('broken')), clock, 100, late)).rejects.toThrow(
    'broken',
  );
  expect(clock.waiting).toBe(0);
});

test('what is late is answered by onLate, at the deadline and not before', async () => {
  const clock = new ManualClock();
  const work = Promise.withResolvers<number>();
  let answer: unknown = 'none yet';
  void withDeadline(work.promise, clock, 100, late).then((value) => {
    answer = value;
  });
  await clock.advance(99);
  expect(answer).toBe('none yet');
  await clock.advance(1);
  expect(answer).toBe('late');
  // A failure that comes too late is nobody's: an unhandled one would fail this file.
  work.reject(new Error('too late'));
  await clock.advance(1);
});

test('onLate may throw', async () => {
  const clock = new ManualClock();
  const waiting = withDeadline(new Promise(() => undefined), clock, 100, () => {
    throw new Error('no answer within 100 ms');
  });
  await Promise.all([
    expect(waiting).rejects.toThrow('no answer within 100 ms'),
    clock.advance(100),
  ]);
});
