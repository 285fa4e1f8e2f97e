/**
 * Senders who asked for "applied" and wait for the mark to pass their write, or for their patience
 * to end.
 */
import type { WriteReply } from '../../contracts/reply.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import type { Clock } from '../../runtime/clock.ts';

type Waiter = {
  lane: Lane;
  seq: number;
  resolve: (reply: WriteReply) => void;
  reply: WriteReply;
  cancel: () => void;
};

export class AppliedWaiters {
  readonly #clock: Clock;
  /** Why a write is not applied; null when it is. */
  readonly #whyNot: (lane: Lane, seq: number) => string | null;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: Clock, whyNot: (lane: Lane, seq: number) => string | null) {
    this.#clock = clock;
    this.#whyNot = whyNot;
  }

  /**
   * The synced reply, made into "applied" once it is; after `waitMs` as it is, with the reason.
   * Never rejects.
   */
  wait(lane: Lane, reply: WriteReply, waitMs: number): Promise<WriteReply> {
    if (this.#whyNot(lane, reply.Seq) === null)
      return Promise.resolve({ ...reply, Durability: 'applied' });
    return new Promise((resolve) => {
      const cancel = this.#clock.timer(waitMs, () => {
        this.#waiters.delete(waiter);
        const reason = this.#whyNot(lane, reply.Seq);
        resolve(
          reason === null
            ? { ...reply, Durability: 'applied' }
            : { ...reply, Reason: `not applied within ${waitMs} ms: ${reason}` },
        );
      });
      const waiter: Waiter = { lane, seq: reply.Seq, resolve, reply, cancel };
      this.#waiters.add(waiter);
    });
  }

  /** Something was settled: answer those it was for. */
  check(lane: Lane): void {
    for (const waiter of this.#waiters) {
      if (waiter.lane !== lane || this.#whyNot(lane, waiter.seq) !== null) continue;
      this.#waiters.delete(waiter);
      waiter.cancel();
      waiter.resolve({ ...waiter.reply, Durability: 'applied' });
    }
  }
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
