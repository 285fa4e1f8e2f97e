/**
 * The seam between replay and a beacon: a carrier takes mutations there and brings one result for
 * each back.
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

/** A write on its way; `entry` is as it came from the hub, where the write stands for one alone. */
export type SentWrite = Folded & { entry?: Entry };

export type Delivery = {
  writes: readonly SentWrite[];
  /** The lane's mark once this delivery is settled. */
  throughSeq: number;
  /** Entries released from behind a dead letter: they lie below the mark on purpose. */
  isBelowMark: boolean;
  /** The lane's mark before it. */
  afterSeq: number;
  /** The epoch it begins, when that is not the carrier's own. */
  epoch?: string;
  /** Trace contexts of its entries, those that have one. */
  traces?: readonly string[];
  /** What `prepare` made of it, and the epoch of the mark row it had seen then. */
  packed?: Packed;
  seen?: string | undefined;
};

/**
 * One result per write, same order; null for one that was not sent because one before it in its key
 * was refused. `epoch` is that of the mark row then.
 */
export type Delivered = {
  results: (MutationResult | null)[];
  isCommitted: boolean;
  epoch?: string;
};

export interface Carrier {
  readonly name: CarrierName;
  /** Whether a delivery takes effect whole or not at all; then `isCommitted` says which. */
  readonly isAtomic: boolean;
  /** Takes each entry by itself, as the hub sent it: nothing is folded for it, each write has its `entry`. */
  readonly isVerbatim?: boolean;
  /** Does ahead what sending needs, while another delivery is on its way. */
  prepare?(delivery: Delivery): Delivery;
  /** @throws TidemarkError UNAVAILABLE and the like: nothing is known, send again */
  apply(delivery: Delivery): Promise<Delivered>;
  /** The mark the database itself keeps, null when it has none or the carrier cannot know. */
  mark(): Promise<{ mark: StoredMark | null; storeId: string } | null>;
}

/** Who delivers what where; the same for every carrier. */
export type DeliveryRoute = {
  beacon: string;
  connection: number;
  hubId: string;
  lane: Lane;
  epoch: string;
  /** The furthest of what was sent to any database, answered or not. */
  sent?: { through: number };
  /** The database's mark is above all that. */
  onAhead?: (seq: number) => void;
};

/** What an operator is told of a mark that is above everything that was sent. */
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
   * The mark row as it was last seen; undefined while nobody asked. Once it is of our epoch, each
   * delivery knows how far it must be.
   */
  #seen: { epoch: string; seq: number } | undefined;
  /** Something was sent and no answer came: the mark may be further than it was seen. */
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
      ThroughSeq: delivery.throughSeq,
      Mutations: delivery.writes.map((write) => write.mutation),
      ...(delivery.isBelowMark ? { IsBelowMark: true } : {}),
      ...this.#markBefore(epoch, delivery.afterSeq),
    };
    const hasLongText = delivery.writes.some(({ mutation }) => isLong(mutation));
    const packed = this.#dispatcher.pack(settings, limits.capabilityMs, { hasLongText });
    return { ...delivery, seen: this.#seen?.epoch, packed };
  }

  /** Where the mark row is, as far as we know, before a delivery behind `afterSeq`. */
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
    // One made ready before the first answer of an epoch does not know where the mark is now.
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
   * What was sent without an answer may have moved the mark since. Only forward, and only under the
   * epoch of what was sent: anything else says that the database went back in time, which the next
   * delivery is to meet.
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
   * An answer to another batch would settle what the database never saw.
   * @throws TidemarkError UNAVAILABLE
   */
  #insistOnOwnAnswer(
    { writes, throughSeq, isBelowMark, epoch = this.#route.epoch }: Delivery,
    { Results, IsCommitted, Mark }: ApplyOutputs,
  ): void {
    const { beacon, onAhead } = this.#route;
    // Whoever moved it there, it says that our next writes are applied, and they are not.
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
