/**
 * What a command line does to a store without a worker, noted in that store's log of operators: by
 * the system's user.
 */
import { userInfo } from 'node:os';
import { systemClock } from '../../runtime/clock.ts';
import { OperatorLog } from '../../worker/operators/operator-log.ts';
import type { Connection } from '../../worker/state/connection.ts';

/** @param say shows the person what could not be written down */
export function notedHere<T>(
  db: Connection,
  { action, detail }: { action: string; detail: object },
  say: (line: string) => void,
  work: () => T,
): T {
  const operators = new OperatorLog(db, systemClock, {
    warn: (facts, what) => say(`${what}: ${JSON.stringify(facts)}`),
  });
  return operators.run({ who: userInfo().username, via: 'cli', action, detail }, work);
}
