/** Operations without a worker: the command line takes the writer's lock and does them itself. */
import { systemClock } from '../../runtime/clock.ts';
import { openLocal } from '../../worker/journal/local.ts';
import { notedHere } from './noted-here.ts';
import { assertStore } from '../../worker/ops/look.ts';
import { Operations } from '../../worker/ops/operations.ts';
import { openStore } from '../../worker/state/open/open-store.ts';
import type { CliConfig } from '../settings/config.ts';
import { say } from '../terminal/output.ts';
import { packageVersion } from '../terminal/version.ts';

/**
 * What is done is noted in the store, as a worker does it.
 * @throws TidemarkError NOT_THERE without a store, LOCK_HELD while somebody has it
 */
export async function withOperations<T>(
  config: CliConfig,
  what: { action: string; detail: object },
  use: (operations: Operations) => Promise<T>,
): Promise<T> {
  assertStore(config.data);
  const store = openStore(config.data, undefined, config);
  try {
    openLocal(store, config.hub);
    const operations = new Operations({
      ...config.ops,
      store,
      hubId: config.hub,
      version: packageVersion(),
      clock: systemClock,
      backend: null,
    });
    return await notedHere(store.db, what, say, () => use(operations));
  } finally {
    store.close();
  }
}
