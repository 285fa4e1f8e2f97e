/**
 * The two legacy providers beside each other: alike in order and filter, each alone in its process.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Scalar } from '../../../contracts/schema.ts';
import { checkBeaconConfig } from '../../../beacon/databases/config.ts';
import { MemoryProvider } from '../../../beacon/legacy/memory-provider.ts';
import { SqliteProvider } from '../../../beacon/legacy/sqlite-provider.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';

test('both providers order and filter alike, whatever the fields hold', () => {
  const value: fc.Arbitrary<Scalar> = fc.oneof(
    fc.constantFrom<Scalar>(null, '', '0', 'a', 'Z', 'ä', '￿', '😀', 0, 1, -1, 2.5, true, false),
    fc.string({ maxLength: 3 }),
    fc.integer({ min: -3, max: 3 }),
  );
  const row = fc.record({ A: value, B: value, C: value }, { requiredKeys: [] });
  const field = fc.constantFrom('A', 'B', 'C');
  const wanted = fc.record({
    terms: fc.array(
      fc.record({
        field,
        values: fc.array(
          value.filter((one) => one !== null),
          { minLength: 1, maxLength: 3 },
        ),
      }),
      { maxLength: 2 },
    ),
    order: fc.uniqueArray(fc.record({ field, isDescending: fc.boolean() }), {
      maxLength: 2,
      selector: (one) => one.field,
    }),
    limit: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5'), fc.option(row)), {
        maxLength: 12,
      }),
      wanted,
      (writes, asked) => {
        const memory = new MemoryProvider();
        const file = new SqliteProvider(join(tempFolder(), 'legacy.sqlite'));
        try {
          for (const provider of [memory, file])
            for (const [key, one] of writes) provider.write([{ kind: 'workItems', key, row: one }]);
          const [a, b] = [memory, file].map((provider) => provider.list('workItems', asked));
          expect(b).toEqual(JSON.parse(JSON.stringify(a)));
        } finally {
          file.close();
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a provider stands alone: no databases, no front, no HTTP beside it', () => {
  const config = {
    beaconId: 'l',
    databases: [],
    dataDir: '/tmp/x',
    isBatchOn: true,
    tags: {},
    provider: 'memory' as const,
  };
  expect(() => checkBeaconConfig(config)).not.toThrow();
  for (const more of [
    { databases: ['sqlite:x'] },
    { front: 'http://x:1' },
    { http: '127.0.0.1:0' },
    { provider: 'paper' as 'memory' },
  ]) {
    expect(() => checkBeaconConfig({ ...config, ...more })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  }
});
