/** Moving high-water marks by hand: the request, the plan, and the result. */
import type { Lane } from './subjects.ts';

/**
 * `To` is a Seq, or a time: everything accepted at or after it is then sent again. Without `Lane`
 * both lanes are meant, without a beacon the assigned one.
 */
export type MarkTarget = {
  To: number | string;
  Lane?: Lane;
  BeaconID?: string;
  IDBeaconConnection?: number;
};

/**
 * `Force` is required to go forwards. With `Plan` the marks move only if that plan is still valid.
 */
export type SetMarks = MarkTarget & { Reason: string; Force?: boolean; Plan?: string; By?: string };

/** A range of entries: their number, the first and the last. */
export type SeqRange = { Entries: number; First: number; Last: number };

/** One entry of a plan that goes forwards. */
export type PlannedEntry = {
  Seq: number;
  Action: string;
  Key: string;
  EventGUID: string;
  AcceptedAt: string;
};

/** What the database reports: its own mark, and whether it has some of the entries. */
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
  /** The Seq of an entry, or 0: the last entry at or before the requested target. */
  To: number;
  Direction: 'backwards' | 'forwards' | 'none';
  /** Entries in between that have a body: sent again, or skipped. */
  Stretch: SeqRange | null;
  /** Entries in between without a body: they cannot be sent again, and are not skipped either. */
  Gone: SeqRange | null;
  /**
   * Of the stretch: dead letters, those parked behind them, and those dropped; they stay as they
   * are when the mark goes backwards.
   */
  Held: number;
  /** Of the stretch: entries that an earlier set skipped, and that going backwards restores. */
  Skipped: number;
  Tables: { Table: string; Entries: number; Keys: number }[];
  /** The keys with the most entries. */
  Keys: { Key: string; Entries: number }[];
  /** When going forwards: the entries one by one, up to a limit. */
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
