/**
 * What a worker sends to the console besides its status: the fleet, the history, dead letters in
 * pages, the writes of a key.
 */
import type { Location, WorkerStatus } from './status.ts';

/** One worker. `Status` is the last one received; `Reason` says why there is none newer. */
export type FleetRow = {
  HubID: string;
  IsSelf: boolean;
  IsAway: boolean;
  SeenAt: string;
  /** Processes that answer for this hub; more than one is a mistake. */
  Instances: number;
  Version: string;
  Console: string | null;
  Status: WorkerStatus | null;
  Reason: string | null;
};

/**
 * Writes accepted since the store was created; those of them that are settled (applied or dropped),
 * and the rest.
 */
export type LaneLevel = { Accepted: number; Settled: number; Pending: number };
/** `At` in milliseconds since 1970. */
export type HistorySample = { At: number; Queue: LaneLevel; Manifest: LaneLevel };
export type LaneColumns = { Accepted: number[]; Settled: number[]; Pending: number[] };
/** Stored by column, which takes half the bytes of rows. */
export type HistoryView = {
  SampleMs: number;
  At: number[];
  Queue: LaneColumns;
  Manifest: LaneColumns;
};

export type DeadLetterView = {
  Seq: number | null;
  Lane: string;
  Action: string;
  Key: string;
  EventGUID: string | null;
  Reason: string;
  At: string;
  Parked: number;
  /** Only for one-way messages that were never accepted: their number, for show and drop. */
  ID?: number;
};

/** `Next` is the `After` of the next page, null at the end. */
export type DeadLetterPage = { DeadLetters: DeadLetterView[]; Next: string | null; Total: number };

/**
 * Newest first. `Scanned` entries of the journal were searched; `IsComplete` when those were all,
 * and the list has every write found.
 */
export type KeyLocations = {
  Key: string;
  Entries: Location[];
  Scanned: number;
  IsComplete: boolean;
};
