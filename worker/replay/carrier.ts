/**
 * The seam between replay and a beacon: a carrier sends mutations and returns one result for each.
 */
import type {
  ApplyOutputs,
  ApplySettings,
  MarkOutputs,
  StoredMark,
} from '../../contracts/capability.ts';
import type { Entry } from '../../bridges/entry.ts';
import type { Folded } from '../../bridges/fold.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { MutationResult, RowMutation } from '../../contracts/mutation.ts';
import type { CarrierName } from '../../contracts/status.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { Packed } from '../../runtime/bus/requester.ts';
import type { Dispatcher } from '../beacons/dispatcher.ts';

/**
 * A write in flight. `entry` is the hub's original, present when the write was not folded from
 * several.
 */
export type SentWrite = Folded & { entry?: Entry };

export type Delivery = {
  writes: readonly SentWrite[];
  /** The lane's mark once this delivery is settled. */
  throughSeq: number;
  /** Entries released from behind a dead letter: they are below the mark on purpose. */
  isBelowMark: boolean;
  /** The lane's mark before this delivery. */
  afterSeq: number;
  /** The epoch that this delivery begins, if it differs from the carrier's. */
  epoch?: string;
  /** Trace contexts of the entries that have one. */
  traces?: readonly string[];
  /** The request that `prepare` encoded, and the mark row's epoch it was encoded for. */
  packed?: Packed;
  seen?: string | undefined;
};

/**
 * One result per write, in order; null for a write that was not sent because an earlier one of its
 * key was refused. `epoch` is the mark row's after the delivery.
 */
export type Delivered = {
  results: (MutationResult | null)[];
  isCommitted: boolean;
  epoch?: string;
};

export interface Carrier {
  readonly name: CarrierName;
  /** Whether a delivery is all or nothing; `isCommitted` then says which. */
  readonly isAtomic: boolean;
  /** Takes each entry as the hub sent it: nothing is folded, and each write has its `entry`. */
  readonly isVerbatim?: boolean;
  /** Prepares a delivery while an earlier one is still in flight. */
  prepare?(delivery: Delivery): Delivery;
  /** @throws TidemarkError UNAVAILABLE and the like: the outcome is unknown, send again */
  apply(delivery: Delivery): Promise<Delivered>;
  /** The database's own mark; null when it has none or the carrier cannot read it. */
  mark(): Promise<{ mark: StoredMark | null; storeId: string } | null>;
}

/** From which hub and lane to which database; the same for every carrier. */
export type DeliveryRoute = {
  beacon: string;
  connection: number;
  hubId: string;
  lane: Lane;
  epoch: string;
  /** The Term of this store and its id, for each batch. */
  stamp?: () => Pick<ApplySettings, 'Term' | 'Owner'>;
  /** The highest Seq sent to any database, answered or not. */
  sent?: { through: number };
  /** The database's mark is above `sent.through`. */
  onAhead?: (seq: number) => void;
};

/** The message for operators when a mark is above everything that was sent. */
export function aheadOf(beacon: string, seq: number): string {
  return (
    `the database's mark is ahead of this journal: by it ${beacon} has writes up to Seq ${seq}, ` +
    'which were never sent there. Nothing counts as applied by it, and delivery stops. Find who ' +
    'moved it (tidemark beacon audit); then assign the database again: what it lacks is sent under a new epoch'
  );
}

/** The fast path: `DataBeaconBatch.Apply`, one database transaction together with the mark row. */
export class BatchCarrier implements Carrier {
  readonly name = 'batch';
  readonly isAtomic = true;
  readonly #dispatcher: Dispatcher;
  readonly #route: DeliveryRoute;
  /**
   * The mark row as last seen; undefined before the first answer. Once it has our epoch, its
   * expected position is known before each delivery.
   */
  #seen: { epoch: string; seq: number } | undefined;
  /** A delivery got no answer, so the mark may be ahead of `#seen`. */
  #isUnsure = false;
  readonly #sent: { through: number };

  constructor(dispatcher: Dispatcher, route: DeliveryRoute) {
    this.#dispatcher = dispatcher;
    this.#route = route;
    this.#sent = route.sent ?? { through: 0 };
  }

  prepare(delivery: Delivery): Delivery {
    const { connection, hubId, lane } = this.#route;
    const { epoch = this.#route.epoch } = delivery;
    const settings: ApplySettings = {
      IDBeaconConnection: connection,
      HubID: hubId,
      Lane: lane,
      Epoch: epoch,
      ...this.#route.stamp?.(),
      ThroughSeq: delivery.throughSeq,
      Mutations: delivery.writes.map((write) => write.mutation),
      ...(delivery.isBelowMark ? { IsBelowMark: true } : {}),
      ...this.#markBefore(epoch, delivery.afterSeq),
    };
    const hasLongText = delivery.writes.some(({ mutation }) => isLong(mutation));
    const packed = this.#dispatcher.pack(settings, limits.capabilityMs, { hasLongText });
    return { ...delivery, seen: this.#seen?.epoch, packed };
  }

  /** The mark row we expect before a delivery that follows `afterSeq`. */
  #markBefore(epoch: string, afterSeq: number): Pick<ApplySettings, 'AfterEpoch' | 'AfterSeq'> {
    const seen = this.#seen;
    if (!seen) return {};
    const isOurs = seen.epoch === epoch;
    return {
      AfterEpoch: seen.epoch,
      AfterSeq: isOurs ? Math.max(afterSeq, seen.seq) : seen.seq,
    };
  }

  async apply(delivery: Delivery): Promise<Delivered> {
    if (this.#isUnsure) await this.#lookAgain();
    // A request encoded before the first answer of an epoch has the wrong expected mark.
    const isReady = delivery.packed !== undefined && delivery.seen === this.#seen?.epoch;
    const { packed } = isReady ? delivery : this.prepare(delivery);
    this.#isUnsure = true;
    this.#sent.through = Math.max(this.#sent.through, delivery.afterSeq, delivery.throughSeq);
    const outputs = await this.#dispatcher.sendPacked<ApplyOutputs>(
      this.#route.beacon,
      'batch',
      'Apply',
      packed as Packed,
    );
    this.#insistOnOwnAnswer(delivery, outputs);
    if (outputs.Mark) this.#seen = { epoch: outputs.Mark.Epoch, seq: outputs.Mark.Seq };
    this.#isUnsure = false;
    return {
      results: outputs.Results,
      isCommitted: outputs.IsCommitted,
      ...(outputs.Mark ? { epoch: outputs.Mark.Epoch } : {}),
    };
  }

  /**
   * Reads the mark again, as a delivery without an answer may have moved it. Only a move forward
   * under the sent epoch is taken over. Anything else means that the database went back in time,
   * and the next delivery must find that out.
   */
  async #lookAgain(): Promise<void> {
    const before = this.#seen;
    const { mark } = await this.mark();
    const now = this.#seen;
    const isOurs = mark?.Epoch === this.#route.epoch;
    const isFurther = isOurs && (before?.epoch !== mark.Epoch || mark.Seq > before.seq);
    this.#seen = before === undefined || isFurther ? now : before;
    this.#isUnsure = false;
  }

  /**
   * An answer to another batch would settle entries the database never received.
   * @throws TidemarkError UNAVAILABLE
   */
  #insistOnOwnAnswer(
    { writes, throughSeq, isBelowMark, epoch = this.#route.epoch }: Delivery,
    { Results, IsCommitted, Mark }: ApplyOutputs,
  ): void {
    const { beacon, onAhead } = this.#route;
    // Somebody else moved the mark. By that mark our next writes would count as applied, although
    // they are not.
    if (Mark?.Epoch === epoch && Mark.Seq > this.#sent.through) {
      onAhead?.(Mark.Seq);
      throw new TidemarkError('UNAVAILABLE', aheadOf(beacon, Mark.Seq));
    }
    if (Results.length !== writes.length)
      throw new TidemarkError(
        'UNAVAILABLE',
        `${beacon} answered ${Results.length} results for ${writes.length} mutations`,
      );
    if (!IsCommitted || isBelowMark || (Mark?.Epoch === epoch && Mark.Seq >= throughSeq)) return;
    throw new TidemarkError(
      'UNAVAILABLE',
      `${beacon} says it committed through Seq ${throughSeq}, and its mark is ${Mark?.Seq ?? 'missing'}`,
    );
  }

  async mark(): Promise<{ mark: StoredMark | null; storeId: string }> {
    const { beacon, connection, hubId, lane } = this.#route;
    const outputs = await this.#dispatcher.send<MarkOutputs>(beacon, 'batch', 'Mark', {
      IDBeaconConnection: connection,
      HubID: hubId,
      Lane: lane,
    });
    this.#seen = { epoch: outputs.Mark?.Epoch ?? '', seq: outputs.Mark?.Seq ?? 0 };
    return { mark: outputs.Mark, storeId: outputs.StoreID };
  }
}

function isLong({ Set: set }: RowMutation): boolean {
  for (const name in set) {
    const value = set[name];
    if (typeof value === 'string' && value.length > limits.longTextChars) return true;
  }
  return false;
}
