/**
 * What the mark row of a database says of this store: how far it is there, whether the hub is still
 * its own, and whose writes may be missing.
 */
import type { MarkOutputs, StoredMark } from '../../contracts/capability.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import type { Dispatcher } from '../beacons/dispatcher.ts';
import type { Journal } from '../journal/journal.ts';
import type { Carrier } from './carrier.ts';
import type { Ownership } from './ownership.ts';

export type ContactOptions = {
  lane: Lane;
  hubId: string;
  dispatcher: Dispatcher;
  journal: Journal;
  ownership: Ownership;
  /** A problem that operators must learn of. */
  onFault: (message: string) => void;
};

type Place = { beacon: string; connection: number };

/**
 * The database's own mark. If its epoch is older than the last `hwm set`, the mark counts as where
 * the set left it, unless it shows a loss since.
 */
export function keptSeqOf(mark: Mark, kept: StoredMark | null): number {
  if (kept === null) return 0;
  if (kept.Epoch === mark.epoch) return kept.Seq;
  if (!epochsOf(mark).includes(kept.Epoch)) return 0;
  return kept.Seq >= (mark.seqBefore ?? 0) ? mark.seq : kept.Seq;
}

/**
 * What a mark row below our mark means. Carriers other than `batch` move our mark and leave the row
 * where it is. Row requests write the Seq into each row, so what they delivered can be sent again,
 * and a database that was restored meanwhile gets back what it lost. What a legacy beacon wrote has
 * no Seq to guard it: a new epoch lets the row take up our mark as it is.
 */
export function staleness(
  { carrier, epoch }: Mark,
  kept: StoredMark | null,
): 'older' | 'unmarked' | 'renew' | null {
  if (carrier === 'batch') return 'older';
  if (kept?.Epoch !== epoch) return null;
  return carrier === 'legacy' ? 'renew' : 'unmarked';
}

/** Epochs under which the database may show this mark. */
function epochsOf({ epoch, epochBefore }: Mark): string[] {
  return [epoch, ...(epochBefore?.split(' ') ?? [])];
}

export class Contact {
  readonly #parts: ContactOptions;

  constructor(parts: ContactOptions) {
    this.#parts = parts;
  }

  /**
   * Whether this store owns the hub by the marks of the database; one without a Term takes it by
   * those of both lanes.
   */
  async isOwner({ beacon, connection }: Place, mark: StoredMark | null): Promise<boolean> {
    const { ownership, lane, dispatcher, hubId } = this.#parts;
    const marks = mark ? [mark] : [];
    for (const other of ownership.isNew ? lanes.filter((one) => one !== lane) : []) {
      const settings = { IDBeaconConnection: connection, HubID: hubId, Lane: other };
      const { Mark } = await dispatcher.send<MarkOutputs>(beacon, 'batch', 'Mark', settings);
      if (Mark) marks.push(Mark);
    }
    return ownership.meet(`${beacon}/${connection}`, marks);
  }

  /** Whether another store wrote the mark, and accepted what we do not have. */
  isStrange(mark: Mark, kept: StoredMark): boolean {
    const { journal, lane, ownership } = this.#parts;
    if (ownership.isSelf(kept)) return false;
    if (!epochsOf(mark).includes(kept.Epoch)) return ownership.isForeign(kept);
    return kept.Seq > mark.seq && !journal.has(lane, kept.Seq);
  }

  /**
   * The mark row becomes ours at once: from now on the store that wrote it is refused, whether we
   * have something to deliver or not.
   */
  async takeOver(place: Place, carrier: Carrier, seq: number, of: StoredMark): Promise<void> {
    const { lane, hubId, onFault } = this.#parts;
    await carrier.apply({ writes: [], throughSeq: seq, isBelowMark: false, afterSeq: seq });
    const who = of.Owner ? `owner ${of.Owner}, Term ${of.Term}` : 'of an earlier version';
    onFault(
      `${place.beacon}/${place.connection} was written by another store of hub ${hubId} (${who}), ` +
        `lane ${lane} up to Seq ${of.Seq} at ${of.UpdatedAt}: what that store accepted and did not ` +
        'deliver is missing there. If its data directory is still to be had: tidemark journal ' +
        'export there, tidemark journal import here',
    );
  }
}
