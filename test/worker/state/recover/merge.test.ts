/**
 * Merging what another file of accepted writes holds: nothing twice, nothing undelivered counted as
 * delivered, counts that add up, crashes in between.
 */
import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { folderOfTest, openState } from '../../../kit/worker/fixture.ts';
import {
  type Backend,
  Life,
  check,
  failAt,
  lifeArb,
  lostStoreOf,
  mergeFile,
  skipSeqs,
} from '../../../kit/worker/merge-life.ts';

const settings = { numRuns: 40 };

test('merge of lost stores in any order, repeated, amid crashes: each once, Seqs kept (I3, I4, I5, I10)', () => {
  fc.assert(
    fc.property(
      lifeArb,
      lifeArb,
      lifeArb,
      lifeArb,
      fc.boolean(),
      fc.boolean(),
      fc.nat(20),
      (before, first, second, own, isReplayRunning, isLater, crashAt) => {
        const dir = folderOfTest();
        const backend: Backend = new Set();
        const store = new Life(dir.at('store'), 'store', backend);
        store.run(before);
        const ghosts = [first, second].map((steps, n) => {
          openState(dir.at(`ghost${n}`)).store.close();
          rmSync(dir.at(`ghost${n}`, 'store.json'));
          store.copyTo(dir.at(`copy${n}.db`));
          const ghost = lostStoreOf(
            dir.at(`ghost${n}`),
            dir.at(`copy${n}.db`),
            `ghost${n}`,
            n,
            backend,
            store,
          );
          ghost.run(steps);
          return ghost;
        });
        if (isLater) skipSeqs(store, 5_000_000);
        store.run(own);
        const files = ghosts.map((ghost, n) => {
          ghost.copyTo(dir.at(`rescue${n}.db`));
          return dir.at(`rescue${n}.db`);
        });
        const marksBefore = {
          queue: store.mark('queue').seq,
          manifest: store.mark('manifest').seq,
        };
        const target = [...(ghosts[0]?.accepted.values() ?? [])].at(
          crashAt % Math.max(1, ghosts[0]?.accepted.size ?? 1),
        );
        if (target && !store.local.journal.read(target.seq)) {
          const repair = failAt(store, target.seq);
          try {
            mergeFile(store, files[0] ?? '', { isReplayRunning });
          } catch (error) {
            expect(String(error)).toContain('crash');
          }
          repair();
        }
        for (const file of [...files, ...files].reverse())
          mergeFile(store, file, { isReplayRunning });
        check(store, [store, ...ghosts], backend, marksBefore);
        for (const life of [store, ...ghosts]) life.local.store.close();
      },
    ),
    settings,
  );
}, 120_000);
