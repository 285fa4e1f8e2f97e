/**
 * Waits for a store that cannot be opened now (no permission, no room, a read-only disk): the
 * process stays up, reports why, and tries again.
 */
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { Backoff } from '../../../runtime/backoff.ts';
import type { Log } from '../../../runtime/log.ts';
import { WaitingRoom, type WaitingRoomOptions } from '../../http/waiting-room.ts';
import { classOf } from '../../state/guard/storage-error.ts';

export type FrozenOptions = WaitingRoomOptions & { log: Log; signal: AbortSignal };

/**
 * Returns the result of `open` once it succeeds; null when stopped before. Errors other than
 * STORAGE_FAILED are thrown at once, because waiting cannot help. Meanwhile /livez is ok, /readyz
 * is 503, and /healthz names the cause.
 */
export async function openWhenPossible<T>(
  open: () => T,
  { log, signal, ...parts }: FrozenOptions,
): Promise<T | null> {
  const backoff = new Backoff(parts.clock, {
    firstMs: limits.frozenFirstMs,
    longestMs: limits.frozenLongestMs,
  });
  const room = new WaitingRoom(parts);
  let said = '';
  try {
    while (!signal.aborted) {
      try {
        return open();
      } catch (error) {
        if (!(error instanceof TidemarkError) || error.code !== 'STORAGE_FAILED') throw error;
        if (error.message !== said)
          log.error(
            { reason: messageOf(error) },
            'the store cannot be opened; the worker is frozen and will try again',
          );
        said = error.message;
        await room.say(said, (since) => healthOf(error, since));
      }
      await backoff.wait(signal);
    }
    return null;
  } finally {
    await room.close();
  }
}

function healthOf(error: TidemarkError, since: string): object {
  const found = classOf(error);
  return {
    Frozen: { Since: since },
    Db: { Status: 'fault', Class: found },
    Faults: [{ At: since, Class: found, What: error.message, Detail: null }],
  };
}
