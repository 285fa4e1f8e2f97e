/** Who is denied over HTTP is in the audit, and cannot fill it. */
import { expect, test } from 'vitest';
import { DeniedLines } from '../../../beacon/process/denied-lines.ts';
import { ManualClock } from '../../kit/manual-clock.ts';

test('I14: of many denied calls the audit gets one line at once, and one with their number', async () => {
  const clock = new ManualClock();
  const lines: unknown[] = [];
  const denied = new DeniedLines((...line) => void lines.push(line), clock);
  for (let n = 0; n < 5_000; n += 1) denied.add('nobody', 'POST', 'UNAUTHORIZED');
  denied.add('vic', 'PUT', 'FORBIDDEN');
  expect(lines).toEqual([
    ['nobody', 'POST', { outcome: 'UNAUTHORIZED' }],
    ['vic', 'PUT', { outcome: 'FORBIDDEN' }],
  ]);
  await clock.advance(60_000);
  expect(lines.slice(2)).toEqual([
    [
      'nobody',
      'POST',
      { outcome: 'UNAUTHORIZED', count: 4_999, detail: '4999 more like it within a minute' },
    ],
  ]);
  await clock.advance(600_000);
  expect(lines).toHaveLength(3);
});
