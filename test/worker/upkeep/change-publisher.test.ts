/** Changes published on the bus from the log of changes: bursts, a bus that is away, bounds. */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import type { Local } from '../../../worker/journal/local.ts';
import { ChangePublisher } from '../../../worker/upkeep/change-publisher.ts';
import type { Changes } from '../../../worker/state/schema/change-log.ts';
import { openReadOnly } from '../../../worker/state/connection.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { openState, silent, upsert } from '../../kit/worker/fixture.ts';

function publisherOf(local: Local) {
  const clock = new ManualClock();
  const told: (Changes & { Store: string })[] = [];
  const bus = {
    isConnected: true,
    publish: (_subject: string, value: unknown) => {
      told.push(value as (typeof told)[number]);
    },
    flush: () => Promise.resolve(),
  };
  const publisher = new ChangePublisher({
    store: local.store,
    bus,
    hubId: 'hub1',
    clock,
    log: silent,
  });
  publisher.start();
  return { clock, told, bus, publisher };
}

describe('telling', () => {
  test('C18 — a burst is a few events, and shows the last of it', async () => {
    const local = openState();
    const { clock, told, publisher } = publisherOf(local);
    let last = 0;
    for (let n = 0; n < 1_000; n++) {
      last = (local.journal.append([upsert('w', `${n}`)], n) as { seq: number }[])[0]?.seq ?? 0;
      publisher.touch();
    }
    await clock.advance(2_000);
    expect(told.length).toBeLessThanOrEqual(2);
    expect(told.reduce((sum, event) => sum + (event.changes[0]?.Count ?? 0), 0)).toBe(1_000);
    expect(told.every((event) => event.Store === local.store.storeId)).toBe(true);
    expect(last).toBe(local.journal.counts('queue').head);
  });

  test('A12 — while the bus is away nothing is lost, no write waits; later all is reported, in order', async () => {
    const local = openState();
    const first = publisherOf(local);
    first.bus.isConnected = false;
    for (let n = 0; n < 50; n++) {
      local.journal.append([upsert('w', `${n}`)], n);
      first.publisher.touch();
      await first.clock.advance(300);
    }
    expect(first.told).toEqual([]);
    await first.publisher.stop();
    const second = publisherOf(local);
    second.bus.flush = () => Promise.reject(new Error('it went away again'));
    await second.clock.advance(2_000);
    const again = second.told.splice(0);
    second.bus.flush = () => Promise.resolve();
    await second.clock.advance(2_000);
    // What the server may not have got is told again, under the same cursors.
    expect(again[0]).toEqual(second.told[0]);
    expect(second.told.slice(1).map((event) => event.From)).toEqual(
      second.told.slice(0, -1).map((event) => event.cursor),
    );
    expect(second.told.reduce((sum, event) => sum + (event.changes[0]?.Count ?? 0), 0)).toBe(50);
  });

  test('A13 — who reads at an event through a handle of his own sees at least what it tells', async () => {
    const local = openState();
    const { clock, bus, publisher } = publisherOf(local);
    const reader = openReadOnly(local.store.paths.db);
    const missing: unknown[] = [];
    bus.publish = (_subject, value) => {
      for (const change of (value as Changes).changes) {
        for (const id of change.ids)
          if (reader.prepare('select 1 from entry where seq = ?').get(id) === undefined)
            missing.push(id);
      }
    };
    for (let n = 0; n < 100; n++) {
      local.journal.append([upsert('w', `${n}`)], n);
      publisher.touch();
      await clock.advance(70);
    }
    reader.close();
    expect(missing).toEqual([]);
  });

  test('what was due when it stopped is not looked for in a store that is closed', async () => {
    const local = openState();
    const { clock, publisher } = publisherOf(local);
    local.store.setMeta('paused', 'yes');
    publisher.touch();
    await publisher.stop();
    local.store.close();
    await expect(clock.advance(2_000)).resolves.toBeUndefined();
  });

  test('I9 — the bound is kept while the bus is away', async () => {
    const local = openState();
    const { clock, bus } = publisherOf(local);
    bus.isConnected = false;
    local.store.db
      .prepare(`insert into change_log (tbl, op, ids, count)
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
        select 'held', 'create', '[]', 1 from n`)
      .run(limits.changeLogRowsMax + 1);
    await clock.advance(3_000);
    expect(local.store.db.prepare('select count(*) from change_log').pluck().get()).toBe(1);
  });

  test('A12 — a server that does not take it is complained of once a minute, and the rows stay', async () => {
    const local = openState();
    const { clock, bus } = publisherOf(local);
    const complaints: string[] = [];
    const log = {
      ...silent,
      warn: (_fields: object, message: string) => {
        complaints.push(message);
      },
    };
    const second = new ChangePublisher({
      store: local.store,
      bus: { ...bus, flush: () => new Promise<void>(() => undefined) },
      hubId: 'hub1',
      clock,
      log,
    });
    bus.isConnected = false;
    second.start();
    local.store.setMeta('paused', 'yes');
    await clock.advance(50_000);
    expect(complaints).toHaveLength(1);
    expect(local.store.db.prepare('select count(*) from change_log').pluck().get()).toBe(1);
  });

  test('changes that nobody pointed out are found', async () => {
    const local = openState();
    const { clock, told } = publisherOf(local);
    local.store.setMeta('paused', 'yes');
    await clock.advance(1_500);
    expect(told).toMatchObject([
      { changes: [{ table: 'meta', op: 'create', ids: ['paused'], Count: 1 }] },
    ]);
  });
});
