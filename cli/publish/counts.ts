/** Counts what a publish run has done, for the progress line and the final JSON summary. */
import type { Clock } from '../../runtime/clock.ts';

/** Refusals printed in full; further ones are only counted. */
const refusalsShownMax = 10;

export type Summary = {
  Sent: number;
  Accepted: number;
  Duplicates: number;
  Refused: number;
  ReadsOk: number;
  Seconds: number;
};

export class Counts {
  /** Writes and reads sent, each counted once however often it was retried. */
  sent = 0;
  /** Writes accepted for the first time. */
  accepted = 0;
  duplicates = 0;
  refused = 0;
  readsOk = 0;
  /** Reads given up because the worker could not answer them in time. */
  readsUnanswered = 0;
  skipped = 0;
  unreadable = 0;
  #retries = 0;
  #lastRetry = '';
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #say: (line: string) => void;

  constructor(clock: Clock, say: (line: string) => void) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#say = say;
  }

  refuse(where: string, action: string, why: string): void {
    this.refused += 1;
    if (this.refused <= refusalsShownMax) this.#say(`refused ${where} ${action}: ${why}`);
    if (this.refused === refusalsShownMax) this.#say('further refusals are only counted');
  }

  countRetry(why: string): void {
    this.#retries += 1;
    this.#lastRetry = why;
  }

  get seconds(): number {
    return Math.round(this.#clock.monotonicMs() - this.#startedMs) / 1000;
  }

  get progress(): string {
    const perSecond = Math.round(this.sent / Math.max(this.seconds, 0.001));
    const parts = [
      `sent ${this.sent}`,
      `${perSecond}/s`,
      `accepted ${this.accepted}`,
      `duplicates ${this.duplicates}`,
      `reads ${this.readsOk}`,
    ];
    if (this.refused > 0) parts.push(`refused ${this.refused}`);
    if (this.readsUnanswered > 0) parts.push(`reads unanswered ${this.readsUnanswered}`);
    if (this.skipped > 0) parts.push(`skipped ${this.skipped}`);
    if (this.unreadable > 0) parts.push(`unreadable lines ${this.unreadable}`);
    if (this.#retries > 0)
      parts.push(`retries ${this.#retries} (last: ${this.#lastRetry.slice(0, 100)})`);
    return parts.join('  ');
  }

  get summary(): Summary {
    return {
      Sent: this.sent,
      Accepted: this.accepted,
      Duplicates: this.duplicates,
      Refused: this.refused,
      ReadsOk: this.readsOk,
      Seconds: this.seconds,
    };
  }
}
