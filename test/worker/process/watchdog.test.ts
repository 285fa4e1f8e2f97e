/** The look at the files for the time when no commit does. */
import { rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import { watchFiles } from '../../../worker/process/watch.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { folderOfTest, hubId, openStore, silent, upsert } from '../../kit/worker/fixture.ts';

function setup() {
  const store = openStore(folderOfTest().path);
  const clock = new ManualClock();
  const faults: TidemarkError[] = [];
  return {
    store,
    clock,
    faults,
    stop: watchFiles({ store, clock, log: silent, onFault: (error) => faults.push(error) }),
  };
}

test('D8 — an idle worker sees within a second that its state is gone, and says it once', async () => {
  const { store, clock, faults } = setup();
  await clock.advance(10 * limits.guardLookMs);
  expect(faults).toEqual([]);
  rmSync(store.paths.stateDir, { recursive: true });
  await clock.advance(limits.guardLookMs);
  expect(faults).toMatchObject([{ code: 'STORAGE_FAILED', cause: { verdict: 'gone' } }]);
  await clock.advance(10 * limits.guardLookMs);
  expect(faults).toHaveLength(1);
});

test('D14 — a look that throws is tried again; stopped is stopped', async () => {
  const { clock, faults } = setup();
  let looks = 0;
  const broken = {
    assertSameFiles: () => {
      looks += 1;
      throw new Error('something else');
    },
    checkpointWhenQuiet: () => false,
    logBytes: () => 0,
    checkpoint: () => undefined,
  };
  const stop = watchFiles({
    store: broken,
    clock,
    log: silent,
    onFault: (error) => faults.push(error),
  });
  await clock.advance(3 * limits.guardLookMs);
  expect([looks, faults.length]).toEqual([3, 0]);
  stop();
  await clock.advance(3 * limits.guardLookMs);
  expect(looks).toBe(3);
});

test('D14 — it does not keep a process alive', () => {
  const script = `
    import { watchFiles } from ${JSON.stringify(join(import.meta.dirname, '../../../worker/process/watch.ts'))};
    import { systemClock } from ${JSON.stringify(join(import.meta.dirname, '../../../runtime/clock.ts'))};
    watchFiles({ store: {}, clock: systemClock, log: {}, onFault: () => {} });`;
  expect(
    spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 30_000 }),
  ).toMatchObject({ status: 0, signal: null });
});

test('what was written is folded in when it is quiet, and a long log is cut', async () => {
  const { store, clock } = setup();
  const { journal } = openLocal(store, hubId);
  for (let n = 0; n < 12; n++)
    journal.append([upsert('w', `${n}`, { Result: 'x'.repeat(2_000_000) })], n);
  expect(store.logBytes()).toBeGreaterThan(limits.logBytesIdle);
  await clock.advance(limits.guardLookMs);
  store.assertSameFiles();
  await clock.advance(limits.guardLookMs);
  expect(store.logBytes()).toBe(0);
  store.assertSameFiles();
});
