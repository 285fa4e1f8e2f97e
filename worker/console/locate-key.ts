/**
 * Finds the writes of a key. The journal has no index by key, because maintaining one would slow
 * every write. So the newest entries are scanned in steps; of older ones only blocked entries and
 * the last write of each row that reads still need are found.
 */
import PQueue from 'p-queue';
import type { KeyLocations } from '../../contracts/console-answers.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { nextTurn } from '../../runtime/clock.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import type { Local } from '../journal/local.ts';
import type { Overview } from '../operators/overview.ts';

export type LocateKeyOptions = {
  local: Pick<Local, 'journal' | 'blocked' | 'projection'>;
  overview: Pick<Overview, 'where'>;
  deliveries: Record<Lane, Pick<LaneDelivery, 'mark'>>;
};

/** Runs one search of the journal at a time, because each takes turns with the writers. */
export class KeySearch {
  readonly #parts: LocateKeyOptions;
  readonly #searches = new PQueue({ concurrency: 1 });

  constructor(parts: LocateKeyOptions) {
    this.#parts = parts;
  }

  /** @throws TidemarkError OVERLOADED when as many wait as may, and those of `locateKey` */
  async locate(key: string, lane: string | undefined): Promise<KeyLocations> {
    if (this.#searches.size >= limits.locateWaitingMax)
      throw new TidemarkError('OVERLOADED', `${limits.locateWaitingMax} searches wait already`, {
        retryAfterMs: limits.overloadedRetryMs,
      });
    return this.#searches.add(async () => {
      // Also short searches are one a turn, or many of them would keep writers waiting together.
      await nextTurn();
      return locateKey(this.#parts, key, lane);
    });
  }
}

/**
 * Finds writes by WorkItemHash or RunHash.
 * @throws TidemarkError INVALID_MESSAGE for an unknown lane or an empty key
 */
export async function locateKey(
  parts: LocateKeyOptions,
  key: string,
  lane: string | undefined,
): Promise<KeyLocations> {
  if (key === '')
    throw new TidemarkError('INVALID_MESSAGE', 'key: expected a WorkItemHash or RunHash');
  const which = lanes.filter((one) => lane === undefined || one === lane);
  if (which.length === 0)
    throw new TidemarkError('INVALID_MESSAGE', `lane: expected one of ${lanes.join(', ')}`);
  const scan = await scanFor(parts, key, which);
  const known = which.flatMap((one) => knownOf(parts, key, one));
  const seqs = [...new Set([...scan.seqs, ...known])].toSorted((a, b) => b - a);
  const found = seqs
    .map((seq) => parts.local.journal.facts(seq))
    .filter((facts) => facts !== null && facts.key === key && which.includes(facts.lane));
  return {
    Key: key,
    Entries: found
      .slice(0, limits.locateEntriesMax)
      .flatMap((facts) => (facts ? [parts.overview.where(facts)] : [])),
    Scanned: scan.looked,
    IsComplete: scan.isWhole && found.length <= limits.locateEntriesMax,
  };
}

/** Entries found without scanning the journal. */
function knownOf({ local, deliveries }: LocateKeyOptions, key: string, lane: Lane): number[] {
  const mark = deliveries[lane].mark();
  return [
    ...local.projection.seqsOf(lane, key, limits.locateEntriesMax),
    ...(mark ? local.blocked.ofKey(mark.database, lane, key, limits.locateEntriesMax) : []),
  ];
}

/** Scans from the newest entry backwards until enough are found, or the limit is reached. */
async function scanFor(
  { local: { journal } }: LocateKeyOptions,
  key: string,
  which: readonly Lane[],
): Promise<{ seqs: number[]; looked: number; isWhole: boolean }> {
  const seqs: number[] = [];
  let [looked, below] = [0, Math.max(...lanes.map((lane) => journal.counts(lane).head)) + 1];
  while (looked < limits.locateScanEntries) {
    const step = journal.findKey(key, below, limits.locateStepEntries);
    looked += step.looked;
    if (step.through === null) return { seqs, looked, isWhole: true };
    seqs.push(...step.seqs.filter((seq) => which.includes(journal.facts(seq)?.lane ?? 'queue')));
    if (seqs.length > limits.locateEntriesMax) break;
    below = step.through;
    await nextTurn();
  }
  return { seqs, looked, isWhole: false };
}
