/**
 * What a read may ask of one lane: the journal's rows, which of them are pending, and the backend
 * while it is reachable.
 */
import type { KnownRow } from '../../bridges/read-merge.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { RowQuery } from '../../contracts/mutation.ts';
import type { TableName } from '../../contracts/schema.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { WaitingKeys } from '../../hwm/waiting-keys.ts';
import type { Assignments } from '../beacons/assignments.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import type { Dispatcher } from '../beacons/dispatcher.ts';
import type { Journal } from '../journal/journal.ts';
import { LegacyReads } from './legacy-reads.ts';
import { MeadowClient } from '../beacons/meadow-client.ts';
import type { Projection } from '../journal/projection.ts';
import type { Projected } from '../journal/row-search.ts';

export type LaneViewOptions = {
  lane: Lane;
  assignments: Assignments;
  delivery: LaneDelivery;
  dispatcher: Dispatcher;
  blocked: BlockedStore;
  journal: Journal;
  projection: Projection;
  isOut: () => boolean;
  onFailure: (beacon: string, error: unknown) => void;
};

/** The view of one read: the mark and the blocked keys at the moment it began. */
export class LaneView {
  readonly projection: Projection;
  readonly #parts: LaneViewOptions;
  readonly #markSeq: number;
  readonly #waitingKeys: WaitingKeys | null;

  constructor(parts: LaneViewOptions) {
    this.#parts = parts;
    this.projection = parts.projection;
    const mark = parts.delivery.mark();
    this.#markSeq = mark?.seq ?? 0;
    this.#waitingKeys = mark ? parts.blocked.waitingKeys(mark.database, parts.lane) : null;
  }

  /** @throws TidemarkError OVERLOADED when catching up would use the last room on the disk */
  async catchUp(): Promise<void> {
    const { lane, journal, isOut } = this.#parts;
    if (isOut() && this.projection.position(lane) < journal.counts(lane).head) {
      throw new TidemarkError(
        'OVERLOADED',
        'the disk of the journal is full; the room left is for delivering, so reads of new writes must wait',
        { retryAfterMs: limits.overloadedRetryMs },
      );
    }
    await this.projection.catchUp(lane);
  }

  /** Whether the backend may lack the last write of a row. */
  isPending(known: { key: string; seq: number }): boolean {
    const waiting = this.#waitingKeys;
    if (known.seq > this.#markSeq) return true;
    return waiting !== null && !waiting.isEmpty && (waiting.hasLetGo || waiting.has(known.key));
  }

  /** No row written at or below this Seq is pending. */
  pendingFloor(): number {
    return this.#waitingKeys?.isEmpty === false ? 0 : this.#markSeq;
  }

  /** The row as the journal knows it, with the manifest fetched from its entry if it is wanted. */
  whole(table: TableName, known: Projected, isFull = true): KnownRow {
    const { ManifestSeq, ...row } = known.row;
    if (!isFull || table !== 'UVManifest' || typeof ManifestSeq !== 'number') return row;
    const entry = this.#parts.journal.read(ManifestSeq);
    return entry ? { ...row, ManifestJSON: JSON.stringify(entry.settings['Manifest']) } : row;
  }

  /** Whether the journal still has every write it ever accepted. */
  isComplete(): boolean {
    return this.#parts.journal.counts(this.#parts.lane).strippedThrough === 0;
  }

  /**
   * @throws TidemarkError UNAVAILABLE when entries were stripped, so that the journal cannot prove
   * that a row does not exist
   */
  assertComplete(what: string): void {
    if (this.isComplete()) return;
    throw new TidemarkError(
      'UNAVAILABLE',
      `the database is away, and the journal no longer has every write needed to answer for ${what}`,
      { retryAfterMs: limits.unavailableRetryMs },
    );
  }

  /** Rows from the backend; null while it is away. */
  async fromBackend(query: RowQuery): Promise<KnownRow[] | null> {
    const target = this.#parts.assignments.targetOf(this.#parts.lane);
    const carrier = target?.carrierOf(this.#parts.lane);
    if (!target?.isReady || !carrier) return null;
    const { dispatcher } = this.#parts;
    try {
      const source =
        carrier === 'legacy'
          ? new LegacyReads(dispatcher, target.beacon)
          : new MeadowClient(dispatcher, target.beacon, target.endpoints, target.grammar);
      return await source.rows(query);
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.code !== 'UNAVAILABLE') throw error;
      this.#parts.onFailure(target.beacon, error);
      return null;
    }
  }
}
