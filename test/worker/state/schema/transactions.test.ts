/** Transactions of commands beside each other: each whole or not at all. */
import { describe, expect, test } from 'vitest';
import { openStore } from '../../../kit/worker/fixture.ts';

describe('migrate — transactions', () => {
  test('of 100 commands at once, every 7th throws, and exactly those are missing (A17)', async () => {
    const store = openStore();
    const command = async (n: number) => {
      await Promise.resolve();
      store.db
        .transaction(() => {
          store.setMeta(`n${n}`, 'x');
          if (n % 7 === 0) throw new Error('the seventh');
        })
        .immediate();
    };
    const results = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => command(n)));
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    expect(results.map(({ status }) => status === 'rejected')).toEqual(
      numbers.map((n) => n % 7 === 0),
    );
    expect(numbers.filter((n) => store.meta(`n${n}`) === undefined)).toEqual(
      numbers.filter((n) => n % 7 === 0),
    );
  });

  test('a transaction that waits is refused, and leaves nothing (A17)', () => {
    const store = openStore();
    const waiting = store.db.transaction(() => Promise.resolve(store.setMeta('never', 'x')));
    expect(() => waiting()).toThrow(/promise/i);
    expect(store.meta('never')).toBeUndefined();
    expect(store.db.inTransaction).toBe(false);
  });
});
