/**
 * Who may call: hosts, origins, tokens with roles, and how often; the rule itself, without a
 * server.
 */
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { HttpAccess, type HttpCall, type HttpSettings } from '../../../runtime/http/http-access.ts';
import { readTokensFile } from '../../../runtime/http/http-tokens.ts';
import { Rate } from '../../../runtime/http/rate.ts';
import { tempDir } from '../../kit/temp-dir.ts';

const operate = { name: 'ann', role: 'operate', token: 'ann-secret' } as const;
const view = { name: 'vic', role: 'view', token: 'vic-secret' } as const;

type Asked = {
  headers?: Record<string, string | undefined>;
  isChanging?: boolean;
  isPublic?: boolean;
  remote?: string;
};

function rule(host = '127.0.0.1', more: Partial<HttpSettings> = {}) {
  let nowMs = 0;
  const access = new HttpAccess(
    { host, port: 8390 },
    { tokens: [operate, view], allowedHosts: [], ...more },
    () => nowMs,
  );
  const ask = ({ headers = {}, ...asked }: Asked) => {
    const all: Record<string, string | undefined> = { Host: '127.0.0.1:8390', ...headers };
    const call: HttpCall = {
      isChanging: false,
      isPublic: false,
      remote: '10.0.0.1',
      ...asked,
      header: (name) => all[name],
    };
    return access.check(call);
  };
  const status = (asked: Asked) => {
    const verdict = ask(asked);
    return verdict.isAdmitted ? 200 : verdict.status;
  };
  return {
    ask,
    status,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe('Host, against rebinding', () => {
  test.each([
    [
      '127.0.0.1',
      ['127.0.0.1', '127.0.0.1:8390', 'localhost', 'LOCALHOST:1', '[::1]:8390', '127.1.2.3'],
      [
        'evil.example',
        'evil.example:8390',
        '10.0.0.5',
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        '127.evil.example',
        '',
        '[::2]',
        'a b',
        'localhost:x',
        'user@localhost',
      ],
    ],
    ['10.0.0.5', ['10.0.0.5:8390', 'localhost'], ['10.0.0.6', 'evil.example']],
    [
      '0.0.0.0',
      ['10.0.0.5', '192.168.1.1:8390', '[2001:db8::1]:8390', hostname()],
      ['evil.example', `${hostname()}.evil.example`],
    ],
    ['tide.example', ['tide.example', 'Tide.Example:1'], ['evil.example']],
  ])('bound to %s', (host, ours, others) => {
    const { status } = rule(host);
    expect(
      ours.map((one) => [one, status({ headers: { Host: one, ...bearer('vic-secret') } })]),
    ).toEqual(ours.map((one) => [one, 200]));
    expect(
      others.map((one) => [one, status({ headers: { Host: one, ...bearer('vic-secret') } })]),
    ).toEqual(others.map((one) => [one, 403]));
  });

  test('names on the list, with any port or with one, also for what is public', () => {
    const { status } = rule('127.0.0.1', { allowedHosts: ['Tide.example', 'proxy.example:444'] });
    expect(
      ['tide.example', 'tide.example:9', 'proxy.example:444', 'proxy.example'].map((Host) =>
        status({ headers: { Host } }),
      ),
    ).toEqual([200, 200, 200, 403]);
    expect(status({ isPublic: true, headers: { Host: 'evil.example' } })).toBe(403);
  });
});

describe('Origin, against pages of other sites', () => {
  const change = (headers: Record<string, string>, allowedHosts: string[] = []) =>
    rule('127.0.0.1', { allowedHosts }).status({
      isChanging: true,
      headers: { ...bearer('ann-secret'), ...headers },
    });

  test('only our own page, and what is no page, may change anything', () => {
    expect(change({})).toBe(200);
    expect(change({ Origin: 'http://127.0.0.1:8390', 'Sec-Fetch-Site': 'same-origin' })).toBe(200);
    expect(change({ 'Sec-Fetch-Site': 'none' })).toBe(200);
    for (const Origin of [
      'http://evil.example',
      'http://127.0.0.1:8391',
      'http://localhost:8390',
      'null',
      'nonsense',
      'file://',
    ])
      expect([Origin, change({ Origin })]).toEqual([Origin, 403]);
    for (const site of ['cross-site', 'same-site', 'anything'])
      expect([site, change({ 'Sec-Fetch-Site': site })]).toEqual([site, 403]);
    expect(change({ Origin: 'http://127.0.0.1:8390', 'Sec-Fetch-Site': 'cross-site' })).toBe(403);
  });

  test('behind a proxy the page has the name that is on the list', () => {
    expect(change({ Origin: 'https://tide.example' }, ['tide.example'])).toBe(200);
    expect(
      change({ Origin: 'https://tide.example', 'Sec-Fetch-Site': 'cross-site' }, ['tide.example']),
    ).toBe(403);
    expect(change({ Origin: 'https://evil.example' }, ['tide.example'])).toBe(403);
  });
});

describe('tokens and roles', () => {
  test("on loopback reading is open; beyond it all but the page needs a token; changing an operator's", () => {
    for (const [host, reading] of [
      ['127.0.0.1', 200],
      ['0.0.0.0', 401],
    ] as const) {
      const { status } = rule(host);
      expect([
        status({}),
        status({ isPublic: true }),
        status({ isChanging: true }),
        status({ isChanging: true, isPublic: true }),
      ]).toEqual([reading, 200, 401, 401]);
      expect([
        status({ headers: bearer('vic-secret') }),
        status({ headers: bearer('ann-secret') }),
      ]).toEqual([200, 200]);
      expect([
        status({ isChanging: true, headers: bearer('vic-secret') }),
        status({ isChanging: true, headers: bearer('ann-secret') }),
      ]).toEqual([403, 200]);
      for (const Authorization of [
        'Bearer ',
        'Bearer no',
        'Basic ann-secret',
        'bearer ann-secret',
        'ann-secret',
        'Bearer ann-secretx',
        'Bearer ann-secre',
      ]) {
        expect([Authorization, status({ isChanging: true, headers: { Authorization } })]).toEqual([
          Authorization,
          401,
        ]);
      }
    }
  });

  test('the caller is known by name, also where the role is not enough', () => {
    const { ask } = rule();
    expect(ask({ isChanging: true, headers: bearer('ann-secret') })).toMatchObject({
      isAdmitted: true,
      caller: { name: 'ann' },
    });
    expect(ask({ isChanging: true, headers: bearer('vic-secret') })).toMatchObject({
      isAdmitted: false,
      status: 403,
      caller: { name: 'vic' },
      isNoted: true,
      body: { Code: 'FORBIDDEN' },
    });
    expect(ask({ isChanging: true })).toMatchObject({
      status: 401,
      caller: null,
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  });

  test('a file of tokens, and every way to write it wrongly, told without the token', () => {
    using dir = tempDir('tokens');
    const path = dir.at('tokens');
    const read = (text: string) => {
      writeFileSync(path, text);
      return readTokensFile(path);
    };
    expect(read('# people\n\noperate ann  one\r\n  view vic two\n')).toEqual([
      { role: 'operate', name: 'ann', token: 'one' },
      { role: 'view', name: 'vic', token: 'two' },
    ]);
    for (const [text, says] of [
      ['root ann one', ':1: expected <role>'],
      ['view a/b one', ':1: expected a name'],
      ['\nview ann', ':2: expected one token'],
      ['view ann sec ret', ':1: expected one token'],
    ] as const) {
      let said = '';
      try {
        read(text);
      } catch (error) {
        said = (error as Error).message;
      }
      expect(said).toContain(says);
      expect(said).not.toMatch(/one\b(?! token)|sec ret/);
    }
    expect(() => readTokensFile(dir.at('none'))).toThrow('tokensFile: ENOENT');
    expect(() =>
      read(
        Array.from({ length: limits.httpTokensMax + 1 }, (_, n) => `view v${n} token${n}`).join(
          '\n',
        ),
      ),
    ).toThrow('at most');
    expect(() =>
      rule('127.0.0.1', { tokens: [operate, { ...view, token: operate.token }] }),
    ).toThrow('the tokens of ann (operate) and vic are the same');
  });
});

describe('on loopback, passed on by something else', () => {
  test.each(['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Real-IP', 'Via'])(
    'I14: with %s reading needs a token, for whoever asks is not on the machine',
    (name) => {
      const { status } = rule();
      const headers = { [name]: 'x' };
      expect([
        status({ headers }),
        status({ headers: { ...headers, ...bearer('vic-secret') } }),
        status({ headers, isPublic: true }),
        status({}),
      ]).toEqual([401, 200, 200, 200]);
      expect(status({ headers: { [name]: '' } })).toBe(401);
    },
  );
});

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
