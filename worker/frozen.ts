/** Waits for a store that cannot be opened now (no right, no room, a read-only disk): the process stays up, says why, and tries again. */
import { messageOf, TidemarkError } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { Backoff } from '../runtime/backoff.ts';
import { type Clock, isoOf } from '../runtime/clock.ts';
import { type HttpAddress, type HttpSettings, plainHttp } from '../runtime/http-access.ts';
import type { HttpListener } from '../runtime/http-listener.ts';
import type { Log } from '../runtime/log.ts';
import { listenFrozen } from './http/server.ts';
import { classOf } from './state/storage-error.ts';

export type FrozenParts = { http: HttpAddress; access?: HttpSettings; clock: Clock; log: Log; signal: AbortSignal };

/**
 * What `open` gives, once it does; null when told to stop before. Anything but STORAGE_FAILED is thrown on at once: waiting cannot mend it.
 * Meanwhile /livez is ok, /readyz is 503, /healthz names the cause.
 */
export async function openWhenPossible<T>(open: () => T, { http, access = plainHttp, clock, log, signal }: FrozenParts): Promise<T | null> {
  const backoff = new Backoff(clock, { firstMs: limits.frozenFirstMs, longestMs: limits.frozenLongestMs });
  let probes: HttpListener | null = null;
  let last: TidemarkError | null = null;
  const since = isoOf(clock.nowMs());
  const health = () => {
    const what = last?.message ?? '';
    return {
      Pid: process.pid, Ready: false, Reason: what, At: isoOf(clock.nowMs()), Frozen: { Since: since },
      Db: { Status: 'fault', Class: classOf(last) }, Faults: [{ At: since, Class: classOf(last), What: what, Detail: null }],
    };
  };
  try {
    while (!signal.aborted) {
      try {
        return open();
      } catch (error) {
        if (!(error instanceof TidemarkError) || error.code !== 'STORAGE_FAILED') throw error;
        if (error.message !== last?.message) log.error({ reason: messageOf(error) }, 'the store cannot be opened; the worker is frozen and tries again');
        last = error;
      }
      probes ??= await listenFrozen(http, access, { unready: () => last?.message ?? null, health });
      await backoff.wait(signal);
    }
    return null;
  } finally {
    await probes?.close();
  }
}
