/** Operations without a worker: the command line takes the writer's lock and does them itself. */
import { TidemarkError } from '../../contracts/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { openLocal } from '../local.ts';
import { assertStore } from '../ops/look.ts';
import { Operations } from '../ops/operations.ts';
import { openStore } from '../state/open-store.ts';
import type { CliConfig } from './config.ts';
import { packageVersion } from './version.ts';

/** Whether there was nobody to ask. */
export function isAway(error: unknown): boolean {
  return error instanceof TidemarkError && (error.code === 'UNREACHABLE' || error.code === 'UNAVAILABLE');
}

/** @throws TidemarkError NOT_THERE without a store, LOCK_HELD while somebody has it */
export async function withOperations<T>(config: CliConfig, use: (operations: Operations) => Promise<T>): Promise<T> {
  assertStore(config.data);
  const store = openStore(config.data, undefined, config);
  try {
    openLocal(store, config.hub);
    return await use(new Operations({ ...config.ops, store, hubId: config.hub, version: packageVersion(), clock: systemClock, backend: null }));
  } finally {
    store.close();
  }
}
