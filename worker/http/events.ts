/**
 * `GET /api/events`: events of the worker as server-sent events. A slow reader gets the newest
 * event of each kind; nothing queues up.
 */
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { History } from '../console/history.ts';
import type { Live, LiveEvent } from '../console/live.ts';
import type { Handlers } from './routes.ts';

export type EventRouteOptions = { live: Live; history: History; clock: Clock };

/** `?watch=fleet` adds the other workers. */
export function eventHandlers(parts: EventRouteOptions): Pick<Handlers, 'events'> {
  return {
    events: ({ context, query }) => {
      if (parts.live.listeners >= limits.liveClientsMax) {
        throw new TidemarkError(
          'UNAVAILABLE',
          `${limits.liveClientsMax} consoles follow this worker already, no more are taken`,
          { retryAfterMs: limits.liveBeatMs },
        );
      }
      context.header('Cache-Control', 'no-store');
      context.header('X-Accel-Buffering', 'no');
      return streamSSE(context, (stream) => follow(stream, parts, query.watch === 'fleet'));
    },
  };
}

/** Sends events until the reader disconnects or stops reading. */
async function follow(
  stream: SSEStreamingApi,
  { live, history, clock }: EventRouteOptions,
  isWatchingFleet: boolean,
): Promise<void> {
  const waiting = new Map<LiveEvent, object>();
  let news = Promise.withResolvers<void>();
  const leave = live.join((name, data) => {
    // Samples must not replace each other: the whole history is sent instead.
    if (name === 'sample' && waiting.has('sample')) waiting.set('history', history.view());
    waiting.set(name, data);
    news.resolve();
  }, isWatchingFleet);
  stream.onAbort(() => news.resolve());
  try {
    while (!stream.aborted && !stream.closed) {
      await news.promise;
      news = Promise.withResolvers();
      const events = [...waiting];
      waiting.clear();
      for (const [event, data] of events) {
        const taken = stream.writeSSE({ event, data: JSON.stringify(data) }).then(() => true);
        const isTaken = await withDeadline(taken, clock, limits.liveStuckMs, () => false);
        if (!isTaken) return stream.abort();
      }
    }
  } finally {
    leave();
  }
}
