/**
 * Where a lane delivers to now: its target, the carrier the beacon allows, and the mark, checked
 * against the database's own.
 */
import type { StoredMark } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { Row } from '../../contracts/mutation.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark, MarkStore } from '../../hwm/mark-store.ts';
import { newUuid } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Assignment, Assignments } from '../beacons/assignments.ts';
import { aheadOf, BatchCarrier, type Carrier } from './carrier.ts';
import type { Dispatcher } from '../beacons/dispatcher.ts';
import { Contact, keptSeqOf, staleness } from './contact.ts';
import type { Journal } from '../journal/journal.ts';
import { Lacking } from './lacking.ts';
import { LegacyCarrier } from './legacy-carrier.ts';
import { MeadowCarrier } from './meadow-carrier.ts';
import { MeadowClient } from '../beacons/meadow-client.ts';
import type { Ownership } from './ownership.ts';
import { classOf } from '../state/guard/storage-error.ts';
import type { Target } from '../beacons/target.ts';

export type LaneDeliveryOptions = {
  lane: Lane;
  hubId: string;
  assignments: Assignments;
  dispatcher: Dispatcher;
  journal: Journal;
  marks: MarkStore;
  blocked: BlockedStore;
  ownership: Ownership;
  log: Log;
  isPaused: () => boolean;
  /** A problem that operators must learn of. */
  onFault: (message: string) => void;
};

/** Where a lane delivers to now. */
export type Destination = { database: number; beacon: string; carrier: Carrier };

/** Valid for one generation of a target; a new generation prepares again. */
type Prepared = {
  target: Target;
  generation: number;
  carrierName: string;
  epoch: string;
  destination: Destination;
};

/**
 * Why a lane is halted, and under which epoch and assignment: an operator lifts the halt by
 * changing either.
 */
type Halt = { reason: string; epoch: string; assignment: Assignment | null };

/** What a plan reads from the database itself. */
export type Backend = {
  mark: () => Promise<StoredMark | null>;
  row: (table: string, key: Row) => Promise<Row | null>;
};

export class LaneDelivery {
  readonly #parts: LaneDeliveryOptions;
  readonly #contact: Contact;
  readonly #lacking: Lacking;
  #prepared: Prepared | null = null;
  #halt: Halt | null = null;
  /** Starts at the journal's head: deliveries of the process before this one may still arrive. */
  readonly #sent: { through: number };
  /** Databases whose mark was compared since the start. */
  readonly #met = new Set<number>();

  constructor(parts: LaneDeliveryOptions) {
    this.#parts = parts;
    this.#contact = new Contact(parts);
    this.#lacking = new Lacking(parts);
    this.#sent = { through: parts.journal.counts(parts.lane).head };
  }

  /** Why delivery is halted until an operator acts; null when it is not. */
  get halted(): string | null {
    return this.#isHalted() ? (this.#halt?.reason ?? null) : null;
  }

  /** A halt ends once the database is assigned again or its mark is set. */
  #isHalted(): boolean {
    const { assignments, lane, marks } = this.#parts;
    const assignment = assignments.of(lane);
    if (!this.#halt || !assignment) return false;
    const mark = marks.find(assignment.beacon, assignment.connection, lane);
    return assignment === this.#halt.assignment && mark?.epoch === this.#halt.epoch;
  }

  /** Halts the lane: the database claims to have writes that were never sent. */
  #stopFor({ beacon, epoch }: Mark, seq: number): null {
    const { assignments, lane, onFault } = this.#parts;
    // Prepare again after the halt, which reads the database's mark anew.
    this.#prepared = null;
    this.#halt = { reason: aheadOf(beacon, seq), epoch, assignment: assignments.of(lane) };
    onFault(`lane ${lane}: ${this.#halt.reason}`);
    return null;
  }

  /**
   * The mark of the lane's assigned database, created on first use; null while unassigned, and
   * while there is no room to create it.
   */
  mark(): Mark | null {
    const assignment = this.#parts.assignments.of(this.#parts.lane);
    if (!assignment) return null;
    try {
      return this.#openMark(assignment.beacon, assignment.connection);
    } catch (thrown) {
      // Reading must also work while the disk is full.
      if (classOf(thrown) === 'capacity') return null;
      throw thrown;
    }
  }

  /**
   * The destination; null while there is none.
   * @throws TidemarkError when the database's own mark cannot be read
   */
  async destination(): Promise<Destination | null> {
    const target = this.#parts.assignments.targetOf(this.#parts.lane);
    if (!target?.isReady || this.#parts.isPaused() || this.#parts.ownership.isDeposed) return null;
    const { generation } = target;
    const carrierName = target.carrierOf(this.#parts.lane);
    if (!carrierName) return null;
    const known = this.#prepared;
    const mark = this.#openMark(target.beacon, target.connection);
    const { epoch } = mark;
    if (this.#isHalted()) return null;
    if (
      known &&
      known.target === target &&
      known.generation === generation &&
      known.carrierName === carrierName &&
      known.epoch === epoch
    )
      return known.destination;
    const carrier = this.#carrier(target, carrierName, epoch, mark);
    const stranger = await this.#reconcile(mark, carrier, target);
    if (this.#isHalted() || this.#parts.ownership.isDeposed) return null;
    if (this.#openMark(target.beacon, target.connection).epoch !== epoch) return this.destination();
    if (stranger) {
      const { seq } = this.#openMark(target.beacon, target.connection);
      await this.#contact.takeOver(target, carrier, seq, stranger);
    }
    const destination = { database: mark.database, beacon: target.beacon, carrier };
    this.#prepared = { target, generation, carrierName, epoch, destination };
    return destination;
  }

  /** The database of a connection while it is online; null when it is away or not the lane's. */
  backend(beacon: string, connection: number): Backend | null {
    const target = this.#parts.assignments.targetOf(this.#parts.lane);
    const carrierName = target?.carrierOf(this.#parts.lane);
    if (
      !target?.isReady ||
      !carrierName ||
      target.beacon !== beacon ||
      target.connection !== connection
    )
      return null;
    if (carrierName === 'legacy') return unaskable(beacon);
    const carrier = this.#carrier(target, carrierName, '');
    const client = new MeadowClient(
      this.#parts.dispatcher,
      beacon,
      target.endpoints,
      target.grammar,
    );
    return {
      mark: async () => (await carrier.mark())?.mark ?? null,
      row: (table, key) => client.find(table, key),
    };
  }

  #carrier(target: Target, name: string, epoch: string, mark?: Mark): Carrier {
    const { dispatcher, hubId, lane } = this.#parts;
    if (name === 'legacy') return new LegacyCarrier(dispatcher, { beacon: target.beacon, lane });
    if (name === 'batch')
      return new BatchCarrier(dispatcher, {
        beacon: target.beacon,
        connection: target.connection,
        hubId,
        lane,
        epoch,
        sent: this.#sent,
        stamp: () => this.#parts.ownership.stamp(),
        ...(mark ? { onAhead: (seq: number) => void this.#stopFor(mark, seq) } : {}),
      });
    return new MeadowCarrier(
      new MeadowClient(dispatcher, target.beacon, target.endpoints, target.grammar),
    );
  }

  /**
   * A database that is new to this journal gets every entry that still has its body; the stripped
   * ones count as skipped.
   */
  #openMark(beacon: string, connection: number): Mark {
    const { journal, lane, marks } = this.#parts;
    const known = marks.find(beacon, connection, lane);
    if (known) return known;
    return marks.open(beacon, connection, lane, 0, journal.counts(lane).stripped);
  }

  /**
   * Compares the mark with the database's own. If that is lower, the database went back in time (a
   * restore, a failover) or was replaced under the same name; the entries between are sent again,
   * and BridgeSeq makes that harmless. If it is above everything we ever accepted, it is our
   * journal that went back in time. Returns the database's mark if a store wrote it whose entries
   * we do not have.
   */
  async #reconcile(mark: Mark, carrier: Carrier, target: Target): Promise<StoredMark | null> {
    const { marks, lane, journal, onFault } = this.#parts;
    const kept = await carrier.mark();
    if (kept && !(await this.#contact.isOwner(target, kept.mark))) return null;
    const storeId = kept?.storeId ?? target.storeId;
    const isOther = mark.storeId !== '' && storeId !== '' && mark.storeId !== storeId;
    const keptSeq = keptSeqOf(mark, kept?.mark ?? null);
    if (this.#isAhead(mark, keptSeq)) return this.#stopFor(mark, keptSeq);
    this.#halt = null;
    this.#met.add(mark.database);
    const stale = kept && keptSeq < mark.seq ? staleness(mark, kept.mark) : null;
    if (isOther && keptSeq < mark.seq) this.#lacking.rewind(mark, keptSeq, 'another');
    else if (stale === 'renew') marks.renewEpoch(mark.database, lane, newUuid());
    else if (stale) this.#lacking.rewind(mark, keptSeq, stale);
    else if (keptSeq > mark.seq) {
      // Blocked entries below the database's mark may be forgotten together with our mark. A new
      // epoch keeps the database's mark from vouching for them when they are sent again.
      marks.move(mark.database, lane, {
        to: mark.seq,
        guid: mark.guid,
        recordedMs: mark.recordedMs,
        again: 0,
        epoch: newUuid(),
      });
      if (!journal.has(lane, keptSeq))
        onFault(
          `${mark.beacon}/${mark.connection} has writes of lane ${lane} up to Seq ${keptSeq}, ` +
            'which this journal does not know: it is an older copy of itself. ' +
            'Nothing was moved; bring the newer journal back, or merge its entries',
        );
    }
    marks.setStoreId(mark.database, lane, storeId);
    return kept?.mark && this.#contact.isStrange(mark, kept.mark) ? kept.mark : null;
  }

  /** A delivery failed; one that was refused as an earlier owner's looks at the marks again. */
  failed(error: unknown): void {
    if (error instanceof TidemarkError && error.code === 'STALE_OWNER') this.#prepared = null;
  }

  /**
   * Whether the database's mark is beyond what this hub can have put there. At the first comparison
   * it may come from a newer copy of this journal; even that never gave out Seqs beyond the present
   * time.
   */
  #isAhead(mark: Mark, keptSeq: number): boolean {
    // After a halt an operator has seen it, and decided to go on.
    if (this.#halt !== null || keptSeq <= mark.seq) return false;
    return this.#met.has(mark.database)
      ? keptSeq > this.#sent.through
      : keptSeq > this.#parts.journal.lastSeq();
  }
}

/** For a legacy beacon: its rows do not say which write they come from. */
function unaskable(beacon: string): Backend {
  const refuse = () =>
    Promise.reject(
      new TidemarkError(
        'REJECTED',
        `${beacon} is a legacy beacon: it keeps no mark, and its rows no Seq`,
      ),
    );
  return { mark: refuse, row: refuse };
}
