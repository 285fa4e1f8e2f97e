/** What a page watches of a worker: the other workers, the last half hour, and what happens now. */
import { hostname } from 'node:os';
import type { KeyLocations } from '../../contracts/console-answers.ts';
import { Fleet } from '../console/fleet.ts';
import { History } from '../console/history.ts';
import { Live } from '../console/live.ts';
import { KeySearch } from '../console/locate-key.ts';
import type { Core } from './core.ts';
import type { CoreOptions } from './core-options.ts';

export type ConsoleSide = {
  fleet: Fleet;
  history: History;
  live: Live;
  locateKey: (key: string, lane: string | undefined) => Promise<KeyLocations>;
};

export function makeConsoleSide(
  { hubId, local, bus, clock, log }: CoreOptions,
  { delivery: { destinations, pending }, operators: { overview } }: Core,
): ConsoleSide {
  const fleet = new Fleet({ hubId, bus, clock, status: () => overview.status() });
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
  return { fleet, history, live, locateKey: (key, lane) => search.locate(key, lane) };
}

/**
 * Where the console of a worker is, as reported to the consoles of others. An address that means
 * every one becomes the machine's name.
 */
export function consoleUrlOf(httpUrl: string): string {
  return httpUrl.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=:|$)/, `//${hostname()}`);
}
