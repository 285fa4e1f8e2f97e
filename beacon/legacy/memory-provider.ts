/**
 * Keeps legacy rows in memory. They end with the process; the new StoreID then makes a worker send
 * again what it still has.
 */
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { newUuid } from '../../runtime/clock.ts';
import {
  comparable,
  type Kind,
  kinds,
  type LegacyProvider,
  type RowChange,
  type Wanted,
} from './provider.ts';

export class MemoryProvider implements LegacyProvider {
  readonly name = 'memory';
  readonly #storeId = newUuid();
  readonly #rows = new Map<Kind, Map<string, JsonObject>>(kinds.map((kind) => [kind, new Map()]));

  storeId(): string {
    return this.#storeId;
  }

  find(kind: Kind, key: string): JsonObject | null {
    return this.#rows.get(kind)?.get(key) ?? null;
  }

  list(kind: Kind, { terms, order, limit }: Wanted): JsonObject[] {
    const rows = [...(this.#rows.get(kind)?.values() ?? [])];
    return rows
      .filter((row) =>
        terms.every(({ field, values }) =>
          values.some((value) => comparable(value) === comparable(row[field])),
        ),
      )
      .sort((a, b) => {
        for (const { field, isDescending } of order) {
          const by = compare(comparable(a[field]), comparable(b[field]));
          if (by !== 0) return isDescending ? -by : by;
        }
        return 0;
      })
      .slice(0, limit);
  }

  write(changes: readonly RowChange[]): void {
    for (const { kind, key, row } of changes) {
      if (row) this.#rows.get(kind)?.set(key, row);
      else this.#rows.get(kind)?.delete(key);
    }
  }

  close(): void {
    for (const rows of this.#rows.values()) rows.clear();
  }
}

/** Sorts as SQLite does: null, then numbers, then text by its bytes. */
function compare(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (typeof a === 'string' && typeof b === 'string')
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === 'string' || typeof b === 'string') return typeof a === 'string' ? 1 : -1;
  return a - b;
}
