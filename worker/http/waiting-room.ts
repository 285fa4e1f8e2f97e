/**
 * The HTTP of a worker that still waits for its store or the bus: alive, not ready, and with health
 * that says why and since when.
 */
import { Hono } from 'hono';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { type HttpAddress, type HttpSettings, plainHttp } from '../../runtime/http/http-access.ts';
import { HttpListener } from '../../runtime/http/http-listener.ts';
import { addAccess } from './access.ts';
import { addErrors } from './answers.ts';
import { probeHandlers, type ProbeOptions } from './probes.ts';
import { mount } from './routes.ts';

export type WaitingRoomOptions = { http: HttpAddress; access?: HttpSettings; clock: Clock };

export class WaitingRoom {
  readonly #parts: WaitingRoomOptions;
  readonly #since: string;
  #reason = '';
  #more: (since: string) => object = () => ({});
  #listener: HttpListener | null = null;

  constructor(parts: WaitingRoomOptions) {
    this.#parts = parts;
    this.#since = isoOf(parts.clock.nowMs());
  }

  /**
   * Reports why the worker does not serve yet. Starts listening with the first reason.
   * @param more further parts of health, read on each request
   * @throws TidemarkError CONFIG_INVALID when the address cannot be bound
   */
  async say(reason: string, more: (since: string) => object): Promise<void> {
    this.#reason = reason;
    this.#more = more;
    const { http, access = plainHttp } = this.#parts;
    this.#listener ??= await listenProbes(http, access, {
      unready: () => this.#reason,
      health: () => this.#health(),
    });
  }

  /** Releases the address for the real server. */
  async close(): Promise<void> {
    await this.#listener?.close();
    this.#listener = null;
  }

  #health(): object {
    return {
      Pid: process.pid,
      Ready: false,
      Reason: this.#reason,
      At: isoOf(this.#parts.clock.nowMs()),
      ...this.#more(this.#since),
    };
  }
}

/**
 * Only the probes, for a worker without a store or a bus.
 * @throws TidemarkError CONFIG_INVALID when the address cannot be bound
 */
export function listenProbes(
  address: HttpAddress,
  settings: HttpSettings,
  parts: ProbeOptions,
): Promise<HttpListener> {
  const app = new Hono();
  addAccess(app, address, { settings, operators: null });
  mount(app, probeHandlers(parts));
  // Does not give the reason, because nobody was asked for a token here.
  app.all('*', () => {
    throw new TidemarkError(
      'UNAVAILABLE',
      'this worker does not serve yet; GET /healthz says why',
      { retryAfterMs: limits.frozenFirstMs },
    );
  });
  addErrors(app);
  return HttpListener.start(address, settings, app);
}
