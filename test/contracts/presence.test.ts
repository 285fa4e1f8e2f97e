/** Presence as anybody may publish it: typed, bounded, and no name in it means more than a name. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../contracts/limits.ts';
import { decodePresence } from '../../contracts/presence.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';

const online = { BeaconID: 'db-1', Status: 'Online' };

describe('presence', () => {
  test.each([
    ['a tag that has no text', { Tags: { a: { toString: 1 } } }],
    ['a tag that is no object', { Tags: 5 }],
    [
      'a connection whose texts have none',
      {
        Connections: [{ IDBeaconConnection: 1, Name: { toString: 1 }, StoreID: [{ valueOf: 1 }] }],
      },
    ],
    ['lists of other things', { Capabilities: [{}, 1, null], Connections: [1, null, 'x'] }],
  ])('%s throws nothing (I14)', (_what, more) => {
    const text = JSON.stringify({ ...online, ...more });
    expect(() => decodePresence(JSON.parse(text))).not.toThrow();
    expect(decodePresence(JSON.parse(text))).toMatchObject({ BeaconID: 'db-1', Capabilities: [] });
  });

  test('a tag of any name is a tag, and changes nothing of other objects (I14)', () => {
    const body: unknown = JSON.parse(
      '{"BeaconID":"db-1","Status":"Online","Tags":{"__proto__":"x","constructor":"y"}}',
    );
    const tags = decodePresence(body)?.Tags ?? {};
    expect(Object.entries(tags)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect(decodePresence(online)?.Tags['PersistenceConnectionID']).toBeUndefined();
    expect(decodePresence(online)?.Tags['toString']).toBeUndefined();
  });

  test('lists and texts are cut at their bounds (I9, I14)', () => {
    const long = 'x'.repeat(100_000);
    const many = Array.from({ length: 5_000 }, (_, n) => n);
    const { Capabilities, Tags, Connections, Nonce } =
      decodePresence({
        ...online,
        Nonce: long,
        Capabilities: many.map((n) => `${n}${long}`),
        Tags: Object.fromEntries(many.map((n) => [`t${n}`, long])),
        Connections: many.map((n) => ({ IDBeaconConnection: n, Name: long })),
      }) ?? expect.fail('it is a presence');
    expect([Capabilities.length, Object.keys(Tags).length, Connections.length]).toEqual(
      Array.from({ length: 3 }, () => limits.presenceItemsMax),
    );
    const texts = [Nonce, ...Capabilities, ...Object.values(Tags), Connections[0]?.Name ?? ''];
    expect(Math.max(...texts.map((text) => text.length))).toBe(limits.presenceCharsMax);
  });
});

test.each([...Object.getOwnPropertyNames(Object.prototype), 'prototype'])(
  '%s names neither a hub nor a beacon (I14)',
  (name) => {
    expect(isSubjectToken(name)).toBe(false);
    expect(decodePresence({ ...online, BeaconID: name })).toBeNull();
  },
);
