/**
 * Calls that were denied, counted: who makes many of them takes no more room than who makes one,
 * and costs no more than adding one up.
 */
import { limits } from '../../contracts/limits.ts';

/** What is told apart. */
export type DeniedKind = { who: string; via: string; action: string; reason: string };
/** One kind within one minute. */
export type DeniedCount = DeniedKind & { readonly firstMs: number; times: number };

const minuteMs = 60_000;

export class DeniedCalls {
  #minute = 0;
  readonly #counts = new Map<string, DeniedCount>();

  /** The count that this one was added to; a new minute begins new ones. */
  add(kind: DeniedKind, nowMs: number): DeniedCount {
    const minute = Math.floor(nowMs / minuteMs);
    if (minute !== this.#minute) this.#counts.clear();
    this.#minute = minute;
    const isRoom = this.#counts.size < limits.deniedKindsMax;
    const key = keyOf(kind);
    const told = isRoom || this.#counts.has(key) ? kind : others;
    const count = this.#counts.get(keyOf(told)) ?? { ...told, firstMs: nowMs, times: 0 };
    this.#counts.set(keyOf(told), count);
    count.times += 1;
    return count;
  }
}

/** Beyond the bound they are one kind. */
const others: DeniedKind = { who: 'others', via: 'http', action: 'other', reason: 'denied' };

function keyOf({ who, via, action, reason }: DeniedKind): string {
  return JSON.stringify([who, via, action, reason]);
}
