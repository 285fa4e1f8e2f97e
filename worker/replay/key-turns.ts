/**
 * Sends the writes of a delivery as one request each: keys in parallel, the writes of one key in
 * order until one is refused.
 */
import PQueue from 'p-queue';
import { limits } from '../../contracts/limits.ts';
import { isSettledOutcome, type MutationResult } from '../../contracts/mutation.ts';
import type { SentWrite } from './carrier.ts';

/**
 * One result per write; null for a write after a refused one of its key.
 * @throws what `send` throws, but only once no request is in flight: a retry that overtakes one
 * could be undone by it
 */
export async function inTurns(
  writes: readonly SentWrite[],
  send: (write: SentWrite) => Promise<MutationResult>,
): Promise<(MutationResult | null)[]> {
  const queue = new PQueue({ concurrency: limits.proxyRequestsMax });
  const turns = Map.groupBy(writes.keys(), (index) => writes[index]?.key);
  const results: (MutationResult | null)[] = writes.map(() => null);
  let failed: { thrown: unknown } | null = null;
  const take = async (turn: readonly number[]) => {
    for (const index of turn) {
      const write = writes[index];
      if (!write || failed) return;
      try {
        const result = await send(write);
        results[index] = result;
        if (!isSettledOutcome(result.Outcome)) return;
      } catch (thrown) {
        failed ??= { thrown };
        return;
      }
    }
  };
  await Promise.all([...turns.values()].map((turn) => queue.add(() => take(turn))));
  const end = failed as { thrown: unknown } | null;
  if (end) throw end.thrown;
  return results;
}
