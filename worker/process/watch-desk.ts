/** What the console watches a worker with: fleet, history and live events, put together. */
import { hostname } from 'node:os';
import PQueue from 'p-queue';
import type { KeyLocations } from '../../contracts/console-answers.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Fleet } from '../console/fleet.ts';
import { History } from '../console/history.ts';
import { Live } from '../console/live.ts';
import type { Local } from '../journal/local.ts';
import { locateKey } from '../console/locate-key.ts';
import type { Outbound } from './outbound.ts';
import type { Overview } from '../operators/overview.ts';
import { WorkerRegistry } from '../operators/worker-registry.ts';

export type WatchDeskOptions = {
  hubId: string;
  bus: Bus;
  local: Local;
  outbound: Outbound;
  overview: Overview;
  clock: Clock;
  log: Log;
};

export class WatchDesk {
  /** What is known of all workers of the bus. */
  readonly workers: WorkerRegistry;
  readonly fleet: Fleet;
  readonly history: History;
  readonly live: Live;
  readonly clock: Clock;
  readonly #parts: WatchDeskOptions;
  /** One search through the journal at a time: each takes turns from those who write. */
  readonly #searches = new PQueue({ concurrency: 1 });
  #url = '';

  constructor(parts: WatchDeskOptions) {
    const { hubId, bus, local, outbound, overview, clock, log } = parts;
    this.#parts = parts;
    this.clock = clock;
    this.workers = new WorkerRegistry({ bus, clock });
    this.fleet = new Fleet({
      hubId,
      workers: this.workers,
      clock,
      self: () => ({ status: overview.status(), console: this.#url }),
    });
    this.history = new History({
      clock,
      accepted: (lane) => local.journal.counts(lane).accepted,
      pending: (lane) => overview.pending(lane),
    });
    this.live = new Live({
      status: (balance) => overview.status(balance),
      balance: () => overview.balances(),
      beacons: () => outbound.directory.list(),
      history: this.history,
      fleet: this.fleet,
      clock,
      log,
    });
  }

  /** What its routes need. */
  routes(): Pick<WatchDesk, 'fleet' | 'history' | 'live' | 'clock'> & {
    locateKey: (key: string, lane: string | undefined) => Promise<KeyLocations>;
  } {
    const { local, overview, outbound } = this.#parts;
    const { fleet, history, live, clock } = this;
    return {
      fleet,
      history,
      live,
      clock,
      locateKey: (key, lane) =>
        this.#searches.add(() =>
          locateKey({ local, overview, deliveries: outbound.deliveries }, key, lane),
        ),
    };
  }

  /**
   * Where the console of this worker is, as told to other workers' consoles. An address that means
   * every one is told by the machine's name.
   */
  consoleUrl(httpUrl: string): string {
    this.#url = httpUrl.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=:|$)/, `//${hostname()}`);
    return this.#url;
  }

  start(): void {
    this.history.start((sample, isNews) => this.live.sample(sample, isNews));
  }

  stop(): void {
    this.history.stop();
  }
}
