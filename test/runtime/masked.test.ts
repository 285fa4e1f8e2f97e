/** No password of a URL is shown, however it was written; the rest of the text is left alone. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBusUrl } from '../../cli/settings/bus-url.ts';
import { messageOf } from '../../contracts/errors.ts';
import { masked, maskedUrl } from '../../runtime/masked.ts';

test('passwords that nobody encoded are masked whole', () => {
  for (const password of ['p/w', 'p,w', 'p w', 'p@w', 'p:w', 'p@/, w', '/w', '12/w']) {
    const url = `postgres://ann:${password}@db:5432/x`;
    expect(maskedUrl(url)).toBe('postgres://ann:***@db:5432/x');
    expect(masked(`no ${url} is there`)).toBe('no postgres://***@db:5432/x is there');
    expect(maskedUrl(`nats://ann:${password}@a,nats://bob:${password}@b`)).toBe(
      'nats://ann:***@a,nats://bob:***@b',
    );
    expect(masked(`nats://ann:${password}@a,nats://bob:${password}@b`)).toBe(
      'nats://***@a,nats://***@b',
    );
  }
  fc.assert(
    fc.property(fc.stringMatching(/^[\w/,@!#% ?-]{0,30}$/), (password) => {
      expect(masked(`a nats://ann:${password}@host:1`)).toBe('a nats://***@host:1');
      expect(maskedUrl(`nats://ann:${password}@host:1`)).toBe('nats://ann:***@host:1');
    }),
  );
});

test('a URL within a password is part of it, unless it stands like one of its own', () => {
  expect(maskedUrl('nats://ann:p://w@h')).toBe('nats://ann:***@h');
  expect(masked('nats://ann:p://w@h')).toBe('nats://***@h');
  expect(maskedUrl('nats://ann:pw@h, nats://g')).toBe('nats://ann:***@h, nats://g');
});

test('a list of servers and a token are masked, with a scheme or without', () => {
  expect(maskedUrl('tok@a,nats://tok@b,nats://ann:pw@c')).toBe(
    '***@a,nats://***@b,nats://ann:***@c',
  );
  expect(maskedUrl('ann:p/w@h')).toBe('ann:***@h');
  expect(maskedUrl('h:1,nats://ann:pw@c')).toBe('h:1,nats://ann:***@c');
});

test('passwords behind the question mark are masked', () => {
  expect(masked('at nats://h?password=a&pwd=b;token=c and "https://h?secret=d".')).toBe(
    'at nats://h?password=***&pwd=***;token=*** and "https://h?secret=***".',
  );
  expect(maskedUrl('postgres://h/x?a=b&Password=p w;q&c=d')).toBe(
    'postgres://h/x?a=b&Password=***&c=d',
  );
});

test('I14: no part of a password is said again where a URL is refused', () => {
  for (const password of ['s3cr/e', 's3cr/e,t@w x', 'a,12345', 'p w', 's3cr/12345']) {
    for (const scheme of ['http', 'https', 'ws', 'nats', 'bogus', 'postgres']) {
      const url = `${scheme}://ann:${password}@127.0.0.1:1/db`;
      let said = '';
      try {
        decodeBusUrl(url);
      } catch (error) {
        said = messageOf(error);
      }
      expect(said).not.toMatch(/s3cr|e,t|12345|w x/);
    }
  }
  expect(maskedUrl('postgres://h/x?sslpassword=p/w')).toBe('postgres://h/x?sslpassword=***');
});

test('what is no login is left', () => {
  for (const plain of [
    'nats://127.0.0.1:4222',
    'mail ann@example.org',
    'no file:///opt/node_modules/@nats-io/core',
    "\"mysql://h/x\": access denied for 'ann'@'localhost'",
    'https://h/a?b=c',
  ])
    expect(masked(plain)).toBe(plain);
  for (const plain of ['/data/a@b/x', 'data/a@b', './a@b', '127.0.0.1:4222', 'sqlite:/data/x.db'])
    expect(maskedUrl(plain)).toBe(plain);
});
