/** What stays of a delivered write is small, and goes behind the horizon (I13). */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { bytesInUse } from '../../kit/worker/store-size.ts';
import { openState, upsert } from '../../kit/worker/fixture.ts';

const count = 40_000;
const startMs = Date.UTC(2026, 0, 1);

function guidOf(n: number, version: 4 | 7): string {
  const hex = randomBytes(16).toString('hex');
  const time = (startMs + n * 10).toString(16).padStart(12, '0');
  const head = version === 7 ? time : hex.slice(0, 12);
  return `${head.slice(0, 8)}-${head.slice(8)}-${version}${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

test.each([4, 7] as const)(
  'at most 112 bytes stay of a delivered write with a version %i GUID, none behind the horizon (I13)',
  (version) => {
    const { store, journal } = openState();
    const empty = bytesInUse(store.db);
    const write = upsert('w', 'w', { Result: 'x'.repeat(600) });
    for (let from = 0; from < count; from += 1_000) {
      journal.append(
        Array.from({ length: 1_000 }, (_, n) => ({
          ...write,
          eventGuid: guidOf(from + n, version),
        })),
        startMs + from * 10,
      );
      for (let step = 0; step < 2; step++)
        journal.strip('queue', journal.readAfter('queue', 0, 500, 1e9));
    }
    const each = (bytesInUse(store.db) - empty) / count;
    expect(each).toBeLessThan(112);
    while (journal.horizon.step(startMs + 40 * 24 * 3_600_000, { ms: 1, entries: 1e9 }));
    // What nobody listens to is told of in bulk, and is another's to bound.
    store.db.exec('delete from change_log');
    expect((bytesInUse(store.db) - empty) / count).toBeLessThan(1);
  },
  60_000,
);
