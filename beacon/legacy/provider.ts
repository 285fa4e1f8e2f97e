/**
 * The seam between the legacy capabilities and what keeps their rows: JSON objects by kind and key.
 */
import type { JsonObject, JsonValue } from '../../contracts/json-value.ts';
import type { Scalar } from '../../contracts/schema.ts';
import type { ProviderName } from '../databases/config.ts';

/** `runs` holds the manifests as they were sent, `manifests` what a list shows of them. */
export const kinds = ['workItems', 'events', 'attempts', 'manifests', 'runs'] as const;
export type Kind = (typeof kinds)[number];

/** A row to be kept under its key, or taken away with null. */
export type RowChange = { kind: Kind; key: string; row: JsonObject | null };

/**
 * Rows that have one of the values in each of the fields, in order; where the order says nothing,
 * as they first came.
 */
export type Wanted = {
  terms: { field: string; values: readonly Scalar[] }[];
  order: { field: string; isDescending: boolean }[];
  limit: number;
};

/**
 * Every method
 * @throws TidemarkError UNAVAILABLE while the rows cannot be reached, with nothing changed.
 */
export interface LegacyProvider {
  readonly name: ProviderName;
  /**
   * What tells these rows from others under the same BeaconID: new when they began with nothing.
   */
  storeId(): string;
  find(kind: Kind, key: string): JsonObject | null;
  /** @throws TidemarkError TOO_LARGE too, for rows over `bounds.answerBytesMax` in all */
  list(kind: Kind, wanted: Wanted): JsonObject[];
  /** All of it or nothing, as safe as it gets when it returns. */
  write(changes: readonly RowChange[]): void;
  close(): void;
}

/** A field of a row as it is compared and ordered: objects as their text, booleans as 0 and 1. */
export function comparable(value: JsonValue | undefined): string | number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'object') return JSON.stringify(value);
  return typeof value === 'boolean' ? Number(value) : value;
}
