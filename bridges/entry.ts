/** A journal entry as the bridges see it, and the shape every bridge has. */
import type { WriteAction } from '../contracts/actions.ts';
import type { JsonObject } from '../contracts/json-value.ts';
import type { RowMutation } from '../contracts/mutation.ts';
import { defaultRemoteUser } from '../contracts/envelope.ts';

/** What is known of an accepted write when it leaves the journal. */
export type Entry = {
  seq: number;
  hubId: string;
  action: WriteAction;
  eventGuid: string;
  key: string;
  /** The sender's time if it gave one; ISO. */
  at: string | null;
  acceptedAt: string;
  remoteUser: string;
  settings: JsonObject;
  /** Trace context of the request that brought it. */
  trace?: string;
};

/** The part of Settings that holds the row; decoding has checked that it is an object. */
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

/** Adds the sender to a mutation when it is not the usual one. */
export function signed(entry: Entry, mutation: RowMutation): RowMutation {
  return entry.remoteUser === defaultRemoteUser
    ? mutation
    : { ...mutation, RemoteUser: entry.remoteUser };
}

/** `Merge` of a mutation for fields without a column. */
export function extraOf(extra: JsonObject): Pick<RowMutation, 'Merge'> {
  return Object.keys(extra).length === 0 ? {} : { Merge: { Extra: extra } };
}
