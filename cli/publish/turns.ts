/**
 * Who may be sent now: at most one unanswered item per key, keys side by side up to a bound, a
 * window of lines in memory.
 */
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { nextTurn } from '../../runtime/clock.ts';
import type { KeyedSender } from './keyed-sender.ts';
import type { TraceItem } from './trace-call.ts';

/** Lines taken from the files and not answered yet; one hot key may hold this many back. */
const windowLinesMax = 4_000;
/** And about as many bytes of them. */
const windowBytesMax = 2 * limits.bodyBytesMax;

export type TurnsOptions = {
  /** Items unanswered at once. */
  concurrency: number;
  /** Writes of one request. */
  batch: number;
  /** Ends the run early: nothing new is sent, nothing is waited for. */
  signal: AbortSignal;
  onSent: (items: number) => void;
};

export class Turns {
  readonly #delivery: KeyedSender;
  readonly #options: TurnsOptions;
  /** Items behind the unanswered one of their key. */
  readonly #behind = new Map<string, TraceItem[]>();
  /** First of their key, in order of arrival. */
  #ready: TraceItem[] = [];
  #inFlight = 0;
  #held = 0;
  #heldBytes = 0;
  #isLaunching = false;
  #failure: Error | null = null;
  #waiters: (() => void)[] = [];

  constructor(delivery: KeyedSender, options: TurnsOptions) {
    this.#delivery = delivery;
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  get #isOver(): boolean {
    return this.#failure !== null || this.#options.signal.aborted;
  }

  /**
   * Takes one item; resolves when there is room for the next.
   * @throws what the delivery gave up with
   */
  async add(item: TraceItem): Promise<void> {
    this.#held += 1;
    this.#heldBytes += item.bytes;
    const behind = this.#behind.get(item.key);
    if (behind) behind.push(item);
    else {
      this.#behind.set(item.key, []);
      this.#ready.push(item);
      this.#launchSoon();
    }
    while (!this.#isOver && (this.#held >= windowLinesMax || this.#heldBytes >= windowBytesMax))
      await this.#change();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when every item taken was answered. @throws what the delivery gave up with */
  async finish(): Promise<void> {
    while (this.#held > 0 && !this.#isOver) await this.#change();
    if (this.#failure !== null) throw this.#failure;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** After the turn of the event loop that brought the items, so that a batch finds them all. */
  #launchSoon(): void {
    if (this.#isLaunching) return;
    this.#isLaunching = true;
    void nextTurn().then(() => {
      this.#isLaunching = false;
      this.#launch();
    });
  }

  #launch(): void {
    let at = 0;
    while (at < this.#ready.length && this.#inFlight < this.#options.concurrency && !this.#isOver) {
      const unit = this.#unitAt(at);
      at += unit.length;
      this.#inFlight += unit.length;
      this.#options.onSent(unit.length);
      void this.#run(unit);
    }
    if (at > 0) this.#ready = this.#ready.slice(at);
  }

  /** One read, or the run of ready writes of one lane that goes into one request. */
  #unitAt(at: number): TraceItem[] {
    const first = this.#ready[at] as TraceItem;
    const itemsMax = first.isWrite
      ? Math.min(this.#options.batch, this.#options.concurrency - this.#inFlight)
      : 1;
    const unit = [first];
    let bytes = first.bytes;
    for (
      let next = this.#ready[at + 1];
      next && unit.length < itemsMax;
      next = this.#ready[at + unit.length]
    ) {
      bytes += next.bytes;
      if (!next.isWrite || next.lane !== first.lane || bytes > limits.deliverBytesMax) break;
      unit.push(next);
    }
    return unit;
  }

  async #run(unit: TraceItem[]): Promise<void> {
    const done = new Set<TraceItem>();
    const finish = (item: TraceItem) => {
      done.add(item);
      this.#settle(item);
    };
    try {
      if (this.#options.batch > 1 && (unit[0] as TraceItem).isWrite)
        await this.#delivery.sendBatch(unit, finish);
      else await this.#delivery.send(unit[0] as TraceItem);
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(messageOf(error));
    }
    for (const item of unit) if (!done.has(item)) this.#settle(item);
    this.#wake();
  }

  #settle(item: TraceItem): void {
    this.#inFlight -= 1;
    this.#held -= 1;
    this.#heldBytes -= item.bytes;
    const next = this.#behind.get(item.key)?.shift();
    if (next) this.#ready.push(next);
    else this.#behind.delete(item.key);
    if (this.#ready.length > 0) this.#launchSoon();
  }
}
