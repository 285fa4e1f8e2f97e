/** Bounds of intake: commits, room on the disk, marks moved by hand, delays sent to senders. */
import { MiB } from './bytes.ts';

export const intakeLimits = {
  /**
   * Writes in one journal commit: enough to share the sync, and few enough that answers do not wait
   * for a longer loop.
   */
  commitWritesMax: 2_000,
  /** Writes waiting for a commit before intake answers OVERLOADED. */
  intakeQueueMax: 20_000,
  /** Undelivered journal entries before intake answers OVERLOADED (about 1 KiB each: 5 GB). */
  pendingEntriesMax: 5_000_000,
  /** Journal file size before intake answers OVERLOADED. */
  journalBytesMax: 16 * 1024 * MiB,
  /**
   * Free space on the journal's disk below which writes are refused, before SQLite fails; at most
   * `diskFreeShare` of the disk.
   */
  diskFreeBytesMin: 256 * MiB,
  diskFreeShare: 0.05,
  /**
   * Writes are accepted again only above this multiple of the minimum, so that a disk at the limit
   * does not flap.
   */
  diskAgainFactor: 1.25,
  /**
   * After SQLite ran out of space, writes are refused for at least this long, because the reported
   * free space cannot be trusted then.
   */
  diskFullPauseMs: 2_000,
  /**
   * Size of the file `reserve`, deleted when the disk is full all the same: several times
   * `checkpointBytes`, because settling needs a checkpoint of the log first. At most `reserveShare`
   * of the disk.
   */
  reserveBytes: 32 * MiB,
  reserveShare: 0.25,
  /**
   * How often the disk, the journal's size and its backlog are checked, instead of for every write.
   */
  capacityLookMs: 250,
  /**
   * Fill levels kept for the time to full: one every `capacitySampleMs`, over `capacityWindowMs`;
   * below `capacityWindowMsMin` there is no forecast.
   */
  capacitySampleMs: 5_000,
  capacityWindowMs: 300_000,
  capacityWindowMsMin: 15_000,
  /**
   * A drill hides a beacon for this long at most. Before, it measures the incoming rate for
   * `drillWatchMs`, and adds `drillEntryBytes` for rows and indexes to each body.
   */
  drillSecondsMax: 600,
  drillWatchMs: 1_000,
  drillEntryBytes: 512,
  /** A time to full beyond a year is meaningless. */
  timeToFullSecondsMax: 31_536_000,
  /**
   * Bytes of writes waiting for a commit before intake answers OVERLOADED, and of one commit: a few
   * of the largest bodies.
   */
  intakeBytesMax: 256 * MiB,
  commitBytesMax: 64 * MiB,
  /**
   * Free pages of a drained journal returned to the disk in one step (a few milliseconds), while
   * idle and while more than these bytes are free in the file.
   */
  spaceStepPages: 256,
  spaceKeptBytes: 8 * MiB,
  spaceEveryMs: 1_000,
  /**
   * Moving marks by hand: how long to wait for a delivery in flight, and entries skipped at once
   * (one transaction, under a second).
   */
  moveMarkWaitMs: 4_000,
  moveSkipMax: 100_000,
  /**
   * Planning it: entries read between two turns of the event loop, entries and keys listed, and
   * entries looked up in the database.
   */
  planStepEntries: 5_000,
  planRowsMax: 500,
  planKeysMax: 20,
  planSamples: 16,
  /** Retry delay sent with a refusal for want of room. */
  overloadedRetryMs: 1_000,
  /** Retry delay sent while the worker is starting or draining. */
  unavailableRetryMs: 500,
  /**
   * Longest `WaitMs` for a reply with `Wait: "applied"`; a sender would give up before a longer one
   * ends.
   */
  waitAppliedMsMax: 60_000,
  waitAppliedMsDefault: 5_000,
  /**
   * Senders waiting for "applied" at once, some 500 bytes each; and how many of those with a
   * blocked write are checked at each settlement.
   */
  appliedWaitersMax: 10_000,
  blockedWaitersAsked: 100,
} as const;
