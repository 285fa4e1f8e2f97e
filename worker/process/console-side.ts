/** What the console shows of a worker: the other workers, the last half hour, and live events. */
import { hostname } from 'node:os';
import type { KeyLocations } from '../../contracts/console-answers.ts';
import { Fleet } from '../console/fleet.ts';
import { History } from '../console/history.ts';
import { Live } from '../console/live.ts';
import { KeySearch } from '../console/locate-key.ts';
import { WorkerRegistry } from '../operators/worker-registry.ts';
import type { Core } from './core.ts';
import type { CoreOptions } from './core-options.ts';

export type ConsoleSide = {
  /** The known workers on the bus. */
  workers: WorkerRegistry;
  fleet: Fleet;
  history: History;
  live: Live;
  locateKey: (key: string, lane: string | undefined) => Promise<KeyLocations>;
};

export function makeConsoleSide(
  { hubId, local, bus, clock, log }: CoreOptions,
  { delivery: { destinations, pending }, operators: { overview } }: Core,
): ConsoleSide {
  const workers = new WorkerRegistry({ bus, clock });
  const fleet = new Fleet({ hubId, workers, clock, status: () => overview.status() });
  const history = new History({
    clock,
    accepted: (lane) => local.journal.counts(lane).accepted,
    pending,
  });
  const live = new Live({
    status: (balance) => overview.status(balance),
    balance: () => overview.balances(),
    beacons: () => destinations.directory.list(),
    history,
    fleet,
    clock,
    log,
  });
  const search = new KeySearch({ local, overview, deliveries: destinations.deliveries });
  return { workers, fleet, history, live, locateKey: (key, lane) => search.locate(key, lane) };
}

/**
 * The URL of our console, as reported to the consoles of other workers. A wildcard address is
 * replaced by the machine's name.
 */
export function consoleUrlOf(httpUrl: string): string {
  return httpUrl.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=:|$)/, `//${hostname()}`);
}
