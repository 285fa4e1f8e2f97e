/**
 * The hub of the campaign: sends its traffic in batches, checks each answer, and comes back with
 * repeats of what was accepted a moment ago and of what is long forgotten.
 */
import type { Answer, Life } from './life.ts';
import { Dice } from '../simulator/dice.ts';
import type { Sent, Traffic } from './traffic.ts';

type Known = Sent & { seq: number; atMs: number };

/** Items of one message, and accepted writes that are remembered for repeats. */
const itemsOfMessage = 100;
const recentKept = 500;
const oldKept = 200;

export class EnduringHub {
  readonly faults: string[] = [];
  accepted = 0;
  readonly #traffic: Traffic;
  readonly #dice: Dice;
  readonly #nowMs: () => number;
  readonly #recent: Known[] = [];
  /** One of each day or so, for a repeat behind the horizon. */
  readonly #old: Known[] = [];
  /** Seqs by the keys whose write the database refuses. */
  readonly refusedSeqs = new Map<string, number>();

  constructor(traffic: Traffic, seed: number, nowMs: () => number) {
    this.#traffic = traffic;
    this.#dice = new Dice(seed + 1);
    this.#nowMs = nowMs;
  }

  /** So many writes, and a few repeats. */
  make(count: number): Sent[] {
    return Array.from({ length: count }, () => this.#traffic.next());
  }

  /** Sends them in messages that arrive together; resolves when all are answered. */
  async send(life: Life, sent: readonly Sent[]): Promise<void> {
    const messages = (['queue', 'manifest'] as const).flatMap((lane) => {
      const own = sent.filter((one) => one.lane === lane);
      return Array.from({ length: Math.ceil(own.length / itemsOfMessage) }, (_, at) => ({
        lane,
        own: own.slice(at * itemsOfMessage, (at + 1) * itemsOfMessage),
      }));
    });
    const answers = await Promise.all(
      messages.map(({ lane, own }) =>
        life.batch(
          lane,
          own.map((one) => one.item),
        ),
      ),
    );
    for (const [at, { own }] of messages.entries())
      for (const [n, one] of own.entries()) this.#answered(one, answers[at]?.[n]);
  }

  #answered(one: Sent, answer: Answer | undefined): void {
    if (!answer?.Success || answer.Duplicate)
      return this.#fault(`${one.item.EventGUID} was answered ${JSON.stringify(answer)}`);
    this.accepted += 1;
    if (one.key.startsWith('refused-')) {
      // What stays blocked is known for as long.
      if (!this.refusedSeqs.has(one.key)) this.refusedSeqs.set(one.key, answer.Seq);
      return;
    }
    if (!this.#dice.chance(0.02)) return;
    this.#recent.push({ ...one, seq: answer.Seq, atMs: this.#nowMs() });
    if (this.#recent.length > recentKept) this.#recent.shift();
  }

  /** A write of lately again: it is known, and has the Seq it had (I3). */
  async repeat(life: Life, horizonMs: number): Promise<void> {
    while ((this.#recent[0]?.atMs ?? Infinity) < this.#nowMs() - horizonMs / 2)
      this.#recent.shift();
    const known = this.#recent[this.#dice.below(Math.max(1, this.#recent.length))];
    if (!known) return;
    const [answer] = await life.batch(known.lane, [known.item]);
    if (!answer?.Success || !answer.Duplicate || answer.Seq !== known.seq)
      this.#fault(`a repeat of Seq ${known.seq} was answered ${JSON.stringify(answer)}`);
    if (known.item.EventGUID[14] === '7') this.#old.push(known);
    if (this.#old.length > oldKept) this.#old.shift();
  }

  /** A version 7 write from before the horizon again: it may have been written, so it is not new. */
  async repeatForgotten(life: Life, horizonMs: number): Promise<void> {
    const at = this.#old.findIndex((one) => one.atMs < this.#nowMs() - 1.5 * horizonMs);
    const [known] = at === -1 ? [] : this.#old.splice(at, 1);
    if (!known) return;
    const [answer] = await life.batch(known.lane, [known.item]);
    if (answer?.Success !== false || answer.Code !== 'EXPIRED')
      this.#fault(`a forgotten write (Seq ${known.seq}) was answered ${JSON.stringify(answer)}`);
  }

  #fault(what: string): void {
    if (this.faults.length < 20) this.faults.push(what);
  }
}
