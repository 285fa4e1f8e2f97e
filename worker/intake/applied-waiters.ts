/**
 * The senders who asked for "applied": each waits until its write is applied, or until its time is
 * up.
 */
import { limits } from '../../contracts/limits.ts';
import type { WriteReply } from '../../contracts/reply.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import type { Clock } from '../../runtime/clock.ts';

type Waiter = {
  resolve: (reply: WriteReply) => void;
  reply: WriteReply;
  cancel: () => void;
};

/** The waiting senders of one lane. */
class LaneWaiters {
  /** In the order of Seq. The mark has not passed them, or has passed them since the last check. */
  readonly ahead: Waiter[] = [];
  /**
   * The mark has passed them, but they are not applied: dead letters and what is parked behind
   * them.
   */
  readonly blocked = new Set<Waiter>();

  get size(): number {
    return this.ahead.length + this.blocked.size;
  }

  /** Adds a waiter behind the last one of the same Seq. */
  add(waiter: Waiter): void {
    this.ahead.splice(this.#placeOf(waiter.reply.Seq), 0, waiter);
  }

  /** Takes out the waiters up to a Seq. */
  takeThrough(seq: number): Waiter[] {
    return this.ahead.splice(0, this.#placeOf(seq));
  }

  remove(waiter: Waiter): void {
    if (this.blocked.delete(waiter)) return;
    const at = this.ahead.lastIndexOf(waiter, this.#placeOf(waiter.reply.Seq) - 1);
    if (at >= 0) this.ahead.splice(at, 1);
  }

  /** How many waiters ahead have this Seq or a smaller one. */
  #placeOf(seq: number): number {
    let [low, high] = [0, this.ahead.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ahead[middle]?.reply.Seq ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export type AppliedWaitersOptions = {
  clock: Clock;
  /** Why a write is not applied; null when it is. */
  whyNot: (lane: Lane, seq: number) => string | null;
  /** The mark of the lane's database; 0 without one. */
  markOf: (lane: Lane) => number;
};

export class AppliedWaiters {
  readonly #options: AppliedWaitersOptions;
  readonly #lanes: Record<Lane, LaneWaiters> = {
    queue: new LaneWaiters(),
    manifest: new LaneWaiters(),
  };

  constructor(options: AppliedWaitersOptions) {
    this.#options = options;
  }

  /** How many senders wait now. */
  get waiting(): number {
    return this.#lanes.queue.size + this.#lanes.manifest.size;
  }

  /**
   * Resolves with "applied" once the write is applied. After `waitMs`, or at once when too many
   * senders wait, resolves with the synced reply and a reason: the write is accepted, so to refuse
   * it would be untrue. Never rejects.
   */
  wait(lane: Lane, reply: WriteReply, waitMs: number): Promise<WriteReply> {
    const { clock, whyNot } = this.#options;
    if (whyNot(lane, reply.Seq) === null) return Promise.resolve(applied(reply));
    if (this.waiting >= limits.appliedWaitersMax)
      return Promise.resolve({
        ...reply,
        Reason: `not waited for: ${limits.appliedWaitersMax} senders wait already`,
      });
    return new Promise((resolve) => {
      const cancel = clock.timer(waitMs, () => {
        this.#lanes[lane].remove(waiter);
        const reason = whyNot(lane, reply.Seq);
        resolve(
          reason === null
            ? applied(reply)
            : { ...reply, Reason: `not applied within ${waitMs} ms: ${reason}` },
        );
      });
      const waiter: Waiter = { resolve, reply, cancel };
      this.#lanes[lane].add(waiter);
    });
  }

  /** Call it when entries were settled: answers the senders whose writes are applied now. */
  check(lane: Lane): void {
    const waiters = this.#lanes[lane];
    this.#askBlocked(lane, waiters);
    for (const waiter of waiters.takeThrough(this.#options.markOf(lane)))
      if (!this.#release(lane, waiter)) waiters.blocked.add(waiter);
  }

  /**
   * Checks some of the blocked waiters, in turn. One that is not checked in time is answered when
   * its time is up.
   */
  #askBlocked(lane: Lane, { blocked }: LaneWaiters): void {
    let toAsk = Math.min(blocked.size, limits.blockedWaitersAsked);
    for (const waiter of blocked) {
      if (toAsk === 0) return;
      toAsk -= 1;
      blocked.delete(waiter);
      if (!this.#release(lane, waiter)) blocked.add(waiter);
    }
  }

  #release(lane: Lane, waiter: Waiter): boolean {
    if (this.#options.whyNot(lane, waiter.reply.Seq) !== null) return false;
    waiter.cancel();
    waiter.resolve(applied(waiter.reply));
    return true;
  }
}

function applied(reply: WriteReply): WriteReply {
  return { ...reply, Durability: 'applied' };
}

/** Why an entry is not applied at the database of its lane; null when it is. */
export function whyNotApplied(
  blockedStore: Pick<BlockedStore, 'get'>,
  mark: Mark | null,
  seq: number,
): string | null {
  if (!mark) return 'no database is assigned';
  const blocked = blockedStore.get(mark.database, seq);
  if (blocked?.state === 'parked') return 'parked behind a dead letter of its key';
  if (blocked) return `dead letter: ${blocked.reason ?? ''}`;
  return seq > mark.seq ? 'the database does not have it yet' : null;
}
