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
import type { MutationResult } from '../../contracts/mutation.ts';
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
  /** What `prepare` made of it. */
  packed?: Packed;
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
};

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

  constructor(dispatcher: Dispatcher, route: DeliveryRoute) {
    this.#dispatcher = dispatcher;
    this.#route = route;
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
      ...(this.#seen
        ? {
            AfterEpoch: this.#seen.epoch,
            AfterSeq: this.#seen.epoch === epoch ? delivery.afterSeq : this.#seen.seq,
          }
        : {}),
    };
    return { ...delivery, packed: this.#dispatcher.pack(settings) };
  }

  async apply(delivery: Delivery): Promise<Delivered> {
    const packed = delivery.packed ?? this.prepare(delivery).packed;
    const outputs = await this.#dispatcher.sendPacked<ApplyOutputs>(
      this.#route.beacon,
      'batch',
      'Apply',
      packed as Packed,
    );
    this.#insistOnOwnAnswer(delivery, outputs);
    if (outputs.Mark) this.#seen = { epoch: outputs.Mark.Epoch, seq: outputs.Mark.Seq };
    return {
      results: outputs.Results,
      isCommitted: outputs.IsCommitted,
      ...(outputs.Mark ? { epoch: outputs.Mark.Epoch } : {}),
    };
  }

  /**
   * An answer to another batch would settle what the database never saw.
   * @throws TidemarkError UNAVAILABLE
   */
  #insistOnOwnAnswer(
    { writes, throughSeq, isBelowMark, epoch = this.#route.epoch }: Delivery,
    { Results, IsCommitted, Mark }: ApplyOutputs,
  ): void {
    const { beacon } = this.#route;
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
