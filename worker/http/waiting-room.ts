/**
 * The HTTP of a worker that cannot serve yet, for want of its store or of the bus: alive, not
 * ready, and health that says why and since when.
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
   * Why there is no serving yet; with the first reason it listens.
   * @param more what else health says, asked each time
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

  /** Gives the address free for who serves. */
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
 * The probes alone, for a worker that has no store or no bus yet.
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
  // Without the reason: the page is shown to people who may not see it.
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
