/**
 * Counts denied calls: many from one caller take no more room than one, and each costs a single
 * increment.
 */
import { limits } from '../../contracts/limits.ts';

/** What distinguishes two counts. */
export type DeniedKind = { who: string; via: string; action: string; reason: string };
/** The calls of one kind in one minute. */
export type DeniedCount = DeniedKind & { readonly firstMs: number; times: number };

const minuteMs = 60_000;

export class DeniedCalls {
  #minute = 0;
  readonly #counts = new Map<string, DeniedCount>();

  /** Returns the count that was incremented; each minute starts new counts. */
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

/** All kinds above the bound together. */
const others: DeniedKind = { who: 'others', via: 'http', action: 'other', reason: 'denied' };

function keyOf({ who, via, action, reason }: DeniedKind): string {
  return JSON.stringify([who, via, action, reason]);
}
