/** Who may call: hosts, origins, tokens with roles; the rule itself, without a server. */
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { readTokensFile } from '../../../runtime/http/http-tokens.ts';
import { bearer, operate, rule, view } from '../../kit/http-rule.ts';
import { tempDir } from '../../kit/temp-dir.ts';

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
