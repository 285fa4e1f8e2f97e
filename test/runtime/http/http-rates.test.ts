/** How often somebody may call, and who is counted for it; the rule itself, without a server. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { Rate } from '../../../runtime/http/rate.ts';
import { bearer, operate, rule } from '../../kit/http-rule.ts';

describe('how often', () => {
  test('who has no right token is slowed down by address, and time heals it', () => {
    const { ask, status, pass } = rule('0.0.0.0');
    for (let n = 0; n < limits.httpFailuresMax; n += 1)
      expect(status({ headers: bearer(`guess${n}`) })).toBe(401);
    const guess = { headers: bearer('guess') };
    expect(ask(guess)).toMatchObject({
      status: 429,
      isNoted: false,
      headers: { 'Retry-After': '1' },
      body: { Code: 'OVERLOADED', RetryAfterMs: limits.httpFailureMs },
    });
    expect(status({ ...guess, remote: '::ffff:10.0.0.1' })).toBe(429);
    expect(status({ ...guess, remote: '10.0.0.2' })).toBe(401);
    expect(status({ isPublic: true })).toBe(200);
    pass(limits.httpFailureMs);
    expect(status(guess)).toBe(401);
  });

  test('I14: no failure of others refuses a right token, nor uses up its changing calls', () => {
    const { status } = rule();
    const change = { isChanging: true };
    for (let n = 0; n < limits.httpFailuresMax * 4; n += 1) {
      status({ ...change, headers: { Origin: 'http://evil.example' } });
      status({ ...change, headers: { 'Sec-Fetch-Site': 'cross-site' } });
      status({ ...change, headers: bearer(`guess${n}`) });
      status({ ...change, headers: bearer('vic-secret') });
    }
    expect(status({ ...change, headers: { Origin: 'http://evil.example' } })).toBe(429);
    expect([
      status({ ...change, headers: bearer('ann-secret') }),
      status({ headers: bearer('vic-secret') }),
    ]).toEqual([200, 200]);
  });

  test('asking without a token is no guess; one subscriber with many IPv6 addresses is one', () => {
    const { status } = rule('0.0.0.0');
    for (let n = 0; n <= limits.httpFailuresMax; n += 1) expect(status({})).toBe(401);
    for (let n = 0; n < limits.httpFailuresMax; n += 1)
      status({ headers: bearer('guess'), remote: `2001:db8:1:2::${n.toString(16)}` });
    expect([
      status({ headers: bearer('guess'), remote: '2001:db8:1:2:ffff::1' }),
      status({ headers: bearer('guess'), remote: '2001:db8:1:3::1' }),
    ]).toEqual([429, 401]);
  });

  test('changing calls are bounded, reading goes on', () => {
    const { status, pass } = rule();
    const change = () => status({ isChanging: true, headers: bearer('ann-secret') });
    for (let n = 0; n < limits.httpChangesMax; n += 1) expect(change()).toBe(200);
    expect([change(), status({})]).toEqual([429, 200]);
    pass(limits.httpChangeMs);
    expect([change(), change()]).toEqual([200, 429]);
  });

  test('changing calls are counted for each token and address apart', () => {
    const bob = { name: 'bob', role: 'operate', token: 'bob-secret' } as const;
    const { status } = rule('127.0.0.1', { tokens: [operate, bob] });
    const change = (token: string, remote = '10.0.0.1') =>
      status({ isChanging: true, headers: bearer(token), remote });
    for (let n = 0; n < limits.httpChangesMax; n += 1) change('ann-secret');
    expect([change('ann-secret'), change('ann-secret', '10.0.0.2'), change('bob-secret')]).toEqual([
      429, 200, 200,
    ]);
  });

  test('what is remembered is bounded: the one unseen for longest is forgotten', () => {
    const rate = new Rate({ burst: 1, refillMs: 1_000, whoMax: 3 }, () => 0);
    for (const who of ['a', 'b', 'c']) rate.take(who);
    expect([rate.take('a'), rate.waitMs('a'), rate.size]).toEqual([false, 1_000, 3]);
    rate.take('d');
    expect([rate.size, rate.waitMs('a'), rate.waitMs('b')]).toEqual([3, 0, 1_000]);
  });
});
