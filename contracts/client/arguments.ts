/** Argument types of the hub client's methods, and the JSON copy that is sent. */
import type { WriteAction } from '../actions.ts';
import { messageOf, TidemarkError } from '../errors.ts';
import type { JsonObject } from '../body/json-value.ts';
import type { Lane } from '../subjects.ts';

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
  /**
   * With upsertWorkItem and upsertManifest: write only where there is no row, or its column is
   * empty; never over what is there.
   */
  FillOnly?: boolean;
  /** `applied`: answer once the backend has it, or after `WaitMs`. */
  Wait?: 'synced' | 'applied';
  WaitMs?: number;
};

/** A write with its identity, as text, for one who keeps it before it is sent. */
export type StampedWrite = {
  lane: Lane;
  action: WriteAction;
  /** What orders it within its lane. */
  key: string;
  eventGuid: string;
  /** The envelope as JSON. */
  text: string;
};

/** Copies the arguments as JSON: undefined members are left out, dates become text. */
export function copyOf(given: Fields): { settings: JsonObject; bytes: number } {
  const text = textOf(given);
  return { settings: JSON.parse(text) as JsonObject, bytes: text.length };
}

/** The arguments as JSON text. */
export function textOf(given: Fields): string {
  try {
    return JSON.stringify(given);
  } catch (cause) {
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `the arguments cannot be encoded as JSON: ${messageOf(cause)}`,
      { cause },
    );
  }
}
