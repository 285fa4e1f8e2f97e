/**
 * A store that cannot be opened for reasons outside: the process stays, says why, and goes on once
 * it can.
 */
import { expect, test } from 'vitest';
import { TidemarkError } from '../../../contracts/errors.ts';
import { openWhenPossible } from '../../../worker/process/opening/frozen.ts';
import { freePort } from '../../../runtime/bus/nats-server.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { until } from '../../kit/until.ts';
import { silent } from '../../kit/worker/fixture.ts';

async function setup(open: () => string) {
  const port = await freePort();
  const [clock, stop] = [new ManualClock(), new AbortController()];
  const opened = openWhenPossible(open, {
    http: { host: '127.0.0.1', port },
    clock,
    log: silent,
    signal: stop.signal,
  });
  return { clock, stop, opened, ask: (path: string) => fetch(`http://127.0.0.1:${port}${path}`) };
}

test('D5, D15 — frozen: alive, not ready, health names the cause; open as soon as it can be', async () => {
  let isMended = false;
  const { clock, opened, ask } = await setup(() => {
    if (isMended) return 'the store';
    throw new TidemarkError('STORAGE_FAILED', 'cannot open state.db: no right');
  });
  const alive = await until('the probes answer', () => ask('/livez'));
  expect(alive.status).toBe(200);
  const ready = await ask('/readyz');
  expect([ready.status, await ready.text()]).toEqual([503, 'cannot open state.db: no right']);
  const health = await ask('/healthz');
  expect([health.status, health.headers.get('Cache-Control')]).toEqual([200, 'no-store']);
  expect(await health.json()).toMatchObject({
    Ready: false,
    Db: { Status: 'fault' },
    Faults: [{ What: 'cannot open state.db: no right' }],
  });
  await clock.advance(60_000);
  isMended = true;
  await clock.advance(60_000);
  expect(await opened).toBe('the store');
  await expect(ask('/livez')).rejects.toThrow();
});

test('told to stop, it stops; what waiting cannot mend is thrown at once', async () => {
  const { stop, opened, clock } = await setup(() => {
    throw new TidemarkError('STORAGE_FAILED', 'no');
  });
  stop.abort();
  await clock.advance(60_000);
  expect(await opened).toBeNull();
  const locked = await setup(() => {
    throw new TidemarkError('LOCK_HELD', 'another');
  });
  await expect(locked.opened).rejects.toMatchObject({ code: 'LOCK_HELD' });
});
