/**
 * The interface between the legacy capabilities and the store of their rows: JSON objects by kind
 * and key.
 */
import type { JsonObject, JsonValue } from '../../contracts/body/json-value.ts';
import type { Scalar } from '../../contracts/schema.ts';
import type { ProviderName } from '../databases/config.ts';

/** `runs` holds manifests as they were sent, `manifests` the columns that a list returns. */
export const kinds = ['workItems', 'events', 'attempts', 'manifests', 'runs'] as const;
export type Kind = (typeof kinds)[number];

/** A row to store under its key; null removes it. */
export type RowChange = { kind: Kind; key: string; row: JsonObject | null };

/**
 * Selects rows that match one of the values in each field, in order. Remaining ties keep the order
 * of arrival.
 */
export type Wanted = {
  terms: { field: string; values: readonly Scalar[] }[];
  order: { field: string; isDescending: boolean }[];
  limit: number;
};

/**
 * Every method throws TidemarkError UNAVAILABLE while the rows cannot be reached, and then changes
 * nothing.
 */
export interface LegacyProvider {
  readonly name: ProviderName;
  /**
   * Identifies these rows among stores of the same BeaconID: new whenever the store started empty.
   */
  storeId(): string;
  find(kind: Kind, key: string): JsonObject | null;
  /** @throws TidemarkError TOO_LARGE too, for more than `bounds.answerBytesMax` in all */
  list(kind: Kind, wanted: Wanted): JsonObject[];
  /** Applies all changes or none. As durable as the provider can make them when it returns. */
  write(changes: readonly RowChange[]): void;
  close(): void;
}

/** A field's value for comparing and sorting: objects as JSON text, booleans as 0 and 1. */
export function comparable(value: JsonValue | undefined): string | number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'object') return JSON.stringify(value);
  return typeof value === 'boolean' ? Number(value) : value;
}
