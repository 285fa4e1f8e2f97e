/**
 * Denied calls as lines of the audit: the first of a kind at once, the others of its minute as one
 * line with their number, so that who is denied cannot fill the audit.
 */
import { type DeniedCount, DeniedCalls } from '../../runtime/http/denied-calls.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { AuditNote } from '../gateway/audit.ts';

type Tell = (user: string, method: string, note: AuditNote) => void;

const foldedMs = 60_000;

export class DeniedLines {
  readonly #tell: Tell;
  readonly #clock: Clock;
  readonly #calls = new DeniedCalls();
  /** Of each kind with more calls than were reported, how many were. */
  readonly #reported = new Map<DeniedCount, number>();
  #isWaiting = false;

  constructor(tell: Tell, clock: Clock) {
    this.#tell = tell;
    this.#clock = clock;
  }

  add(who: string, method: string, code: string): void {
    const kind = { who, via: 'http', action: method, reason: code };
    const count = this.#calls.add(kind, this.#clock.nowMs());
    if (count.times === 1) return this.#tell(count.who, count.action, { outcome: code });
    if (!this.#reported.has(count)) this.#reported.set(count, 1);
    if (!this.#isWaiting) this.#clock.timer(foldedMs, () => this.#report());
    this.#isWaiting = true;
  }

  #report(): void {
    this.#isWaiting = false;
    for (const [{ who, action, reason, times }, reported] of this.#reported)
      this.#tell(who, action, {
        outcome: reason,
        count: times - reported,
        detail: `${times - reported} more like it within a minute`,
      });
    this.#reported.clear();
  }
}
