/** A journal entry as the bridges read it, and the helpers they share. */
import type { WriteAction } from '../contracts/actions.ts';
import type { JsonObject } from '../contracts/body/json-value.ts';
import type { RowMutation } from '../contracts/mutation.ts';
import { defaultRemoteUser } from '../contracts/envelope.ts';

/** An accepted write, as the journal hands it to a bridge. */
export type Entry = {
  seq: number;
  hubId: string;
  action: WriteAction;
  eventGuid: string;
  key: string;
  /** When the sender says the write happened, ISO-8601; null when it gave no time. */
  at: string | null;
  acceptedAt: string;
  remoteUser: string;
  settings: JsonObject;
  /** Term it was accepted under; left out for 0, before there were Terms. */
  term?: number;
  /** Trace context of the request that carried this write. */
  trace?: string;
};

/** Reads the row in `Settings`. Decoding has already checked that it is an object. */
export function rowOf(entry: Entry, name: string): JsonObject {
  return entry.settings[name] as JsonObject;
}

/**
 * Whether the write may only fill what is empty. Fields without a column are left out of it: they
 * are kept together in one, where they would stand over others.
 */
export function isFillOnly(entry: Entry): boolean {
  return entry.settings['FillOnly'] === true;
}

/** Adds the remote user to a mutation unless it is the default one. */
export function signed(entry: Entry, mutation: RowMutation): RowMutation {
  return entry.remoteUser === defaultRemoteUser
    ? mutation
    : { ...mutation, RemoteUser: entry.remoteUser };
}

/** A `Merge` of the fields that have no column; nothing when there are none. */
export function extraOf(extra: JsonObject): Pick<RowMutation, 'Merge'> {
  return Object.keys(extra).length === 0 ? {} : { Merge: { Extra: extra } };
}
