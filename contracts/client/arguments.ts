/** Argument types of the hub client's methods, and the JSON copy that is sent. */
import { messageOf, TidemarkError } from '../errors.ts';
import type { JsonObject } from '../json-value.ts';

/** A row as the coordinator holds it: columns of the schema, and any other fields. */
export type Fields = Readonly<Record<string, unknown>>;
export type WorkItemFields = Fields & { readonly WorkItemHash: string };
export type AttemptFields = WorkItemFields & { readonly AttemptNumber: number };
export type ManifestFields = Fields & { readonly Hash: string };

type PageFilter = { Limit?: number; OrderBy?: string; After?: string };
export type WorkItemFilter = PageFilter & {
  Status?: string | string[];
  AssignedBeaconID?: string | string[];
  RunID?: string | string[];
  Capability?: string | string[];
  OperationHash?: string | string[];
};
export type ManifestFilter = PageFilter & {
  Status?: string | string[];
  OperationHash?: string | string[];
  Full?: boolean;
};

/** What a write may carry besides its content. */
export type WriteStamp = {
  /** The write's identity, if the caller has one; otherwise a new UUIDv7. */
  EventGUID?: string;
  /** The sender's time, ISO-8601. */
  At?: string;
  RemoteUser?: string;
  /** `applied`: answer once the backend has it, or after `WaitMs`. */
  Wait?: 'synced' | 'applied';
  WaitMs?: number;
};

/** Copies the arguments as JSON: undefined members are left out, dates become text. */
export function copyOf(given: Fields): { settings: JsonObject; bytes: number } {
  try {
    const text = JSON.stringify(given);
    return { settings: JSON.parse(text) as JsonObject, bytes: text.length };
  } catch (cause) {
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `the arguments cannot be encoded as JSON: ${messageOf(cause)}`,
      { cause },
    );
  }
}
