/** The operators' log from the file of a data directory, beside a worker or without one. */
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import {
  type OperatorActions,
  operatorActionsSql,
  type OperatorRow,
  pageOf,
  pageView,
} from '../../worker/operators/operator-log.ts';
import { openForReading } from '../../worker/state/open/read-store.ts';

/** Schema that has the log. */
const leastVersion = 3;

/**
 * `{Limit?, Before?}`.
 * @throws TidemarkError as `openForReading`, INVALID_MESSAGE for a wrong field, NOT_THERE when a
 * program before the log wrote the store
 */
export function offlineActions(
  dataDir: string,
  given: JsonObject,
): OperatorActions & { Offline: true } {
  const { before, limit } = pageOf(given);
  const store = openForReading(dataDir);
  try {
    if (store.version < leastVersion)
      throw new TidemarkError(
        'NOT_THERE',
        `the store in ${dataDir} has schema ${store.version}, which keeps no log of operators; start the worker once`,
      );
    return {
      Offline: true,
      ...pageView(store.all<OperatorRow>(operatorActionsSql, before, limit + 1), limit),
    };
  } finally {
    store.close();
  }
}
