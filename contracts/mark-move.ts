/**
 * Moving high-water marks by hand: what is asked, what a plan tells before, and what a set has
 * done.
 */
import type { Lane } from './subjects.ts';

/**
 * `To` is a Seq, or a time: then everything accepted at or after it goes again. Without `Lane` both
 * lanes, without a beacon the assigned one.
 */
export type MarkTarget = {
  To: number | string;
  Lane?: Lane;
  BeaconID?: string;
  IDBeaconConnection?: number;
};

/** `Force` is needed to go forwards; with `Plan` only what that plan showed is done. */
export type SetMarks = MarkTarget & { Reason: string; Force?: boolean; Plan?: string; By?: string };

/** Entries in a row: how many, and the first and last of them. */
export type SeqRange = { Entries: number; First: number; Last: number };

/** One entry of a plan that goes forwards. */
export type PlannedEntry = {
  Seq: number;
  Action: string;
  Key: string;
  EventGUID: string;
  AcceptedAt: string;
};

/** What the database itself says: its own mark, and for some of the entries whether it has them. */
export type BackendFinding =
  | { IsThere: false; Reason: string }
  | {
      IsThere: true;
      Mark: { Epoch: string; Seq: number } | null;
      Checked: number;
      Has: number;
      Lacks: number[];
    };

export type LanePlan = {
  Lane: Lane;
  BeaconID: string;
  IDBeaconConnection: number;
  From: number;
  /** The Seq of an entry, or 0: the last one at or before what was asked for. */
  To: number;
  Direction: 'backwards' | 'forwards' | 'none';
  /** Entries between with a body: sent again, or skipped. */
  Stretch: SeqRange | null;
  /**
   * Entries between whose bodies are gone: they cannot be sent again, and are not skipped either.
   */
  Gone: SeqRange | null;
  /**
   * Of the stretch: dead letters, those parked behind them, and those given up for good; they stay
   * as they are when going backwards.
   */
  Held: number;
  /** Of the stretch: what a set skipped before, and one backwards takes up again. */
  Skipped: number;
  Tables: { Table: string; Entries: number; Keys: number }[];
  /** The keys with most entries. */
  Keys: { Key: string; Entries: number }[];
  /** Going forwards: the entries one by one, up to a limit. */
  Rows: PlannedEntry[];
  Backend: BackendFinding;
};

export type MarkPlan = { Plan: string; Lanes: LanePlan[] };

export type LaneMoved = {
  Lane: Lane;
  BeaconID: string;
  IDBeaconConnection: number;
  From: number;
  To: number;
  Again: number;
  Skipped: number;
};
export type MarksSet = { Success: true; Operation: string; Lanes: LaneMoved[] };
