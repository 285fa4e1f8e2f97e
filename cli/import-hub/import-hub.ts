/** `import-hub`: what a hub has in its own store goes to its worker, as writes that only fill. */
import type { Bus } from '../../runtime/bus/bus.ts';
import { systemClock } from '../../runtime/clock.ts';
import { Counts } from '../publish/counts.ts';
import { Delivery } from '../publish/delivery.ts';
import { fillingWrite } from './filling-write.ts';
import { type HubStore, type Kind, kinds } from './hub-store.ts';

/** What became of the rows of one kind. */
export type Imported = {
  Kind: Kind;
  Found: number;
  /** Deleted, without a hash, or unreadable. */
  Skipped: number;
  Accepted: number;
  /** Imported before. */
  Duplicates: number;
  Refused: number;
};

export type ImportOptions = {
  store: HubStore;
  /** None: nothing is sent, and what would be is counted. */
  bus: Bus | null;
  hub: string;
  giveUpMs: number;
  signal: AbortSignal;
  progress: (line: string) => void;
  say: (line: string) => void;
};

/** Writes unanswered at once, and of one request. */
const concurrency = 512;
const batch = 100;

/** @throws TidemarkError UNREACHABLE when the worker did not answer for too long */
export async function importHub(options: ImportOptions): Promise<Imported[]> {
  const results: Imported[] = [];
  for (const kind of kinds) results.push(await importKind(kind, options));
  return results;
}

async function importKind(kind: Kind, options: ImportOptions): Promise<Imported> {
  const { store, bus, hub, giveUpMs, signal, progress, say } = options;
  const counts = new Counts(systemClock, say);
  const about = { hub, counts, signal, concurrency, batch, giveUpMs, isOneWay: false };
  const delivery = bus && new Delivery({ ...about, bus });
  const found = store.count(kind);
  let met = 0;
  for (const row of store.rows(kind)) {
    if (signal.aborted) break;
    met += 1;
    const write = fillingWrite(kind, row);
    if (!write) counts.skipped += 1;
    else await delivery?.add(write);
    progress(`${kind}: ${met} of ${found}`);
  }
  await delivery?.finish();
  return {
    Kind: kind,
    Found: met,
    Skipped: counts.skipped,
    Accepted: counts.accepted,
    Duplicates: counts.duplicates,
    Refused: counts.refused,
  };
}
