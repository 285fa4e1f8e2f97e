/** One-way messages that can never be accepted: whoever sends them, what is kept is bounded. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { openState } from '../../kit/worker/fixture.ts';

const MiB = 1024 * 1024;

test('bodies are kept up to a bound, then subject, size, digest and reason (I14)', () => {
  const { refused, store } = openState();
  const body = Buffer.alloc(7 * MiB, 'x');
  const whole = Math.floor(limits.refusedBytesMax / body.length);
  const kept = Array.from({ length: 30 }, (_, n) => refused.keep('s', body, 'no', n));
  expect(kept).toEqual([
    ...Array<string>(whole).fill('whole'),
    ...Array<string>(30 - whole).fill('facts'),
  ]);
  expect(store.bytesInUse()).toBeLessThan(limits.refusedBytesMax + 8 * MiB);
  expect(refused.count()).toBe(30);
  const digest = createHash('sha256').update(body).digest('hex');
  expect(refused.get(30)).toEqual({
    id: 30,
    subject: 's',
    bytes: 0,
    body: Buffer.alloc(0),
    reason: `no; of its body only this is kept: ${body.length} bytes, sha256 ${digest}`,
    atMs: 29,
  });
  expect(refused.get(1)?.body.equals(body)).toBe(true);
  refused.drop(1);
  expect(refused.keep('s', body, 'no', 31)).toBe('whole');
});

test('a list says how large they are, and loads none of them (I14)', () => {
  const { refused } = openState();
  for (let n = 1; n <= 5; n += 1) refused.keep('s', Buffer.alloc(n * 1_000), 'no', n);
  expect(refused.list(2, 2)).toEqual([
    { id: 3, subject: 's', bytes: 3_000, reason: 'no', atMs: 3 },
    { id: 4, subject: 's', bytes: 4_000, reason: 'no', atMs: 4 },
  ]);
});

test('where the journal has no room, no body is kept', () => {
  const { refused } = openState();
  expect(refused.keep('s', Buffer.from('x'), 'no', 1, false)).toBe('facts');
});

test('beyond the bound they are counted, and subjects and reasons are cut (I14)', () => {
  const { refused, store } = openState();
  store.db
    .prepare(
      `with recursive n (value) as
         (select 1 union all select value + 1 from n where value < ?)
       insert into refused (subject, body, reason, at_ms) select 's', x'', 'no', value from n`,
    )
    .run(limits.refusedMax - 1);
  expect(refused.keep('s'.repeat(5_000), Buffer.from('x'), 'r'.repeat(5_000), 1)).toBe('whole');
  const last = refused.get(limits.refusedMax);
  expect([last?.subject.length, last?.reason.length]).toEqual([1_000, 1_000]);
  expect(refused.keep('s', Buffer.from('x'), 'no', 1)).toBe('counted');
  expect(refused.keep('s', Buffer.from('x'), 'no', 1)).toBe('counted');
  expect(refused.count()).toBe(limits.refusedMax + 2);
});
