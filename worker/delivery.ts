/** Where a lane delivers to right now: its target, the carrier the beacon allows, and the mark checked against the database's own. */
import type { Lane } from '../contracts/subjects.ts';
import type { HeldStore } from '../hwm/held-store.ts';
import type { Mark, MarkStore } from '../hwm/mark-store.ts';
import type { Log } from '../runtime/log.ts';
import type { Assignments } from './assignments.ts';
import { BatchCarrier, type Carrier } from './carrier.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Journal } from './journal.ts';
import { MeadowCarrier } from './meadow-carrier.ts';
import { MeadowClient } from './meadow-client.ts';
import type { Destination } from './replay.ts';
import type { Target } from './target.ts';

export type DeliveryParts = {
  lane: Lane; hubId: string; epoch: string; assignments: Assignments; dispatcher: Dispatcher; journal: Journal; marks: MarkStore; held: HeldStore; log: Log;
  isPaused: () => boolean;
  /** Something an operator must hear of. */
  onFault: (message: string) => void;
};

/** What was worked out for one generation of a target; another generation means doing it again. */
type Prepared = { target: Target; generation: number; carrierName: string; destination: Destination };

export class LaneDelivery {
  readonly #parts: DeliveryParts;
  #prepared: Prepared | null = null;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** The mark of the lane's assigned database, made when it is first asked for; null while unassigned. */
  mark(): Mark | null {
    const assignment = this.#parts.assignments.of(this.#parts.lane);
    return assignment ? this.#openMark(assignment.beacon, assignment.connection) : null;
  }

  /** Where to deliver, or null while nothing can be. @throws TidemarkError when the database's own mark cannot be read */
  async destination(): Promise<Destination | null> {
    const target = this.#parts.assignments.targetOf(this.#parts.lane);
    if (!target?.isReady || this.#parts.isPaused()) return null;
    const { generation, carrier: carrierName } = target;
    if (!carrierName) return null;
    const known = this.#prepared;
    if (known && known.target === target && known.generation === generation && known.carrierName === carrierName) return known.destination;
    const carrier = this.#carrier(target, carrierName);
    const mark = this.#openMark(target.beacon, target.connection);
    await this.#reconcile(mark, carrier, target);
    const destination = { database: mark.database, beacon: target.beacon, carrier };
    this.#prepared = { target, generation, carrierName, destination };
    return destination;
  }

  #carrier(target: Target, name: string): Carrier {
    const { dispatcher, hubId, lane, epoch } = this.#parts;
    if (name === 'batch') return new BatchCarrier(dispatcher, { beacon: target.beacon, connection: target.connection, hubId, lane, epoch });
    return new MeadowCarrier(new MeadowClient(dispatcher, target.beacon, target.endpoints));
  }

  /** A database new to this journal gets everything that still has its body; the rest is counted as skipped. */
  #openMark(beacon: string, connection: number): Mark {
    const { journal, lane, marks } = this.#parts;
    const known = marks.find(beacon, connection, lane);
    if (known) return known;
    return marks.open(beacon, connection, lane, 0, journal.counts(lane).bare);
  }

  /**
   * The database may have gone back in time (a restore, a failover), or be another one under the same name.
   * Then its own mark is below ours, and what lies between is sent again: BridgeSeq makes that harmless.
   */
  async #reconcile(mark: Mark, carrier: Carrier, target: Target): Promise<void> {
    const { marks, epoch } = this.#parts;
    const kept = await carrier.mark();
    const storeId = kept?.storeId ?? target.storeId;
    const isOther = mark.storeId !== '' && storeId !== '' && mark.storeId !== storeId;
    const isComparable = isOther || (kept !== null && mark.carrier === 'batch');
    const keptSeq = kept?.mark?.Epoch === epoch ? kept.mark.Seq : 0;
    if (isComparable && keptSeq < mark.seq) this.#rewind(mark, keptSeq, isOther);
    marks.setStoreId(mark.database, this.#parts.lane, storeId);
  }

  #rewind(mark: Mark, to: number, isOther: boolean): void {
    const { journal, lane, marks, held, log, onFault } = this.#parts;
    const again = journal.countAfter(lane, to) - journal.countAfter(lane, mark.seq) - held.countBetween(mark.database, lane, to, mark.seq);
    marks.rewind(mark.database, lane, to, again);
    const where = `${mark.beacon}/${mark.connection}`;
    const why = isOther ? `${where} is another database than before` : `${where} went back in time`;
    log.warn({ lane, beacon: mark.beacon, from: mark.seq, to, again }, `${why}; sending again what the journal still has`);
    const { bareThrough } = journal.counts(lane);
    if (bareThrough > to) onFault(`${why}: writes of lane ${lane} from Seq ${to + 1} to ${bareThrough} are no longer in the journal and cannot be sent again`);
  }
}
