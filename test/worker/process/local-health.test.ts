/**
 * What /healthz says of the local state while everything is well, while it is broken, and of the
 * stop before.
 */
import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TidemarkError } from '../../../contracts/errors.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { plainHttp } from '../../../runtime/http/http-access.ts';
import { type RunningWorker, startWorker } from '../../../worker/process/compose.ts';
import { openLocal, type Local } from '../../../worker/journal/local.ts';
import { openStore as openStoreAt } from '../../../worker/state/open/open-store.ts';
import { TestNats } from '../../kit/servers/nats.ts';
import { until } from '../../kit/until.ts';
import { folderOfTest, hubId, silent } from '../../kit/worker/fixture.ts';

type Health = {
  Ready?: boolean;
  State?: string;
  Db: {
    Status: string;
    Class: string | null;
    Identity: Record<string, unknown>;
    PreviousStopWasClean: boolean | null;
    LastCommitAt: string | null;
    SizeBytes: number;
    WalBytes: number;
  };
  Faults: { At: string; Class: string; What: string }[];
};

describe('health of the local state', () => {
  let nats: TestNats;
  beforeAll(async () => {
    nats = await TestNats.start();
  }, 60_000);
  afterAll(async () => {
    await nats?.[Symbol.asyncDispose]();
  });

  async function start(path = folderOfTest().path): Promise<{
    worker: RunningWorker;
    local: Local;
    bus: Bus;
    path: string;
    health: () => Promise<Health>;
    ready: () => Promise<number>;
  }> {
    const bus = await Bus.connect({ servers: nats.url, name: 'health' }, silent);
    const local = openLocal(openStoreAt(path), hubId);
    const worker = await startWorker(
      {
        hubId,
        version: '0',
        http: { host: '127.0.0.1', port: 0 },
        access: plainHttp,
        isOneWayOn: false,
        ops: { folder: `${path}/ops`, host: 'here', skips: { flags: [], allUntilMs: null } },
      },
      {
        local,
        bus,
        clock: systemClock,
        log: silent,
        onDrain: () => undefined,
        onFault: () => undefined,
      },
    );
    onTestFinished(async () => {
      await worker.drain().catch(() => undefined);
      local.store.close();
    });
    const health = async () => {
      const response = await fetch(`${worker.httpUrl}/healthz`);
      expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
      return (await response.json()) as Health;
    };
    return {
      worker,
      local,
      bus,
      path,
      health,
      ready: async () => (await fetch(`${worker.httpUrl}/readyz`)).status,
    };
  }

  test('all is well: armed, the same files, no fault (D12, D15)', async () => {
    const { health, ready } = await start();
    expect(await health()).toMatchObject({
      Ready: true,
      Faults: [],
      Rescue: { Pending: 0, Merged: 0, Aside: 0 },
      Db: {
        Status: 'ok',
        Class: null,
        PreviousStopWasClean: null,
        LastCommitAt: null,
        Identity: {
          State: 'same',
          Wal: 'same',
          Shm: 'same',
          Lock: 'same',
          Folder: 'same',
          IsArmed: true,
          IsDegraded: false,
          CheckedAt: expect.any(String),
        },
      },
    });
    expect(await ready()).toBe(200);
  });

  test('the state folder is removed: health sees it by itself, before anything is written (D8, D15)', async () => {
    const { health, local } = await start();
    rmSync(local.store.paths.stateDir, { recursive: true });
    expect((await health()).Db).toMatchObject({
      Status: 'fault',
      Class: 'gone',
      Identity: { State: 'gone' },
    });
  });

  test('frozen: alive, not ready, the fault named in health and told on the bus (D15)', async () => {
    const { worker, health, ready, bus } = await start();
    const told: unknown[] = [];
    bus.subscribe(subjects.event(hubId, 'fault'), (message) => {
      told.push(message);
    });
    await bus.flush();
    worker.freeze(
      new TidemarkError('STORAGE_FAILED', 'it was removed', {
        cause: { verdict: 'gone', path: 'state.db' },
      }),
    );
    expect(await health()).toMatchObject({
      Ready: false,
      Db: { Status: 'fault', Class: 'gone' },
      Faults: [{ Class: 'gone', What: 'it was removed', At: expect.any(String) }],
    });
    expect([await ready(), (await fetch(`${worker.httpUrl}/livez`)).status]).toEqual([503, 200]);
    await until('the event is there', () => told.length > 0);
    expect(told).toEqual([expect.objectContaining({ Class: 'gone', What: 'it was removed' })]);
  });

  test('a handle that answers nothing any more: health still does (D3, D15)', async () => {
    const { health, local } = await start();
    local.store.db.close();
    const body = await health();
    expect(body).toMatchObject({
      Faults: [],
      Db: { Status: 'fault', Class: expect.any(String), SizeBytes: expect.any(Number) },
    });
    expect(body.State).toBeUndefined();
  });

  test('files that are as they were, but do not answer as ours (D3)', async () => {
    const { health, local } = await start();
    local.store.db.exec('alter table meta rename to elsewhere');
    expect((await health()).Db).toMatchObject({
      Status: 'fault',
      Class: 'unknown',
      Identity: { State: 'same' },
    });
    local.store.db.exec('alter table elsewhere rename to meta');
    expect((await health()).Db).toMatchObject({ Status: 'ok', Class: null });
  });

  test('the stop before: clean after an orderly one, not after a crash (A15)', async () => {
    const first = await start();
    await first.worker.drain();
    const second = await start(first.path);
    expect((await second.health()).Db.PreviousStopWasClean).toBe(true);
    await second.worker.drain();
    // What a crash leaves: a start that never noted its stop.
    const db = new Database(second.local.store.paths.db);
    db.prepare(
      'update boot set stopped_ms = null where rowid = (select max(rowid) from boot)',
    ).run();
    db.close();
    expect((await (await start(first.path)).health()).Db.PreviousStopWasClean).toBe(false);
  });
});
