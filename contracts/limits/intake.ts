/** Bounds of taking writes: commits, room on the disk, marks moved by hand, delays told to senders. */
import { MiB } from './bytes.ts';

export const intakeLimits = {
  /**
   * Writes taken into one journal commit: the sync is paid once, and answers do not wait on a
   * longer loop.
   */
  commitWritesMax: 2_000,
  /** Writes waiting for a commit before intake answers OVERLOADED. */
  intakeQueueMax: 20_000,
  /** Undelivered journal entries before intake answers OVERLOADED (about 1 KiB each: 5 GB). */
  pendingEntriesMax: 5_000_000,
  /** Journal file size before intake answers OVERLOADED. */
  journalBytesMax: 16 * 1024 * MiB,
  /**
   * Free room on the disk of the journal below which writes are refused, before SQLite meets a full
   * disk; at most `diskFreeShare` of the disk.
   */
  diskFreeBytesMin: 256 * MiB,
  diskFreeShare: 0.05,
  /**
   * Writes are taken again only with this much more room than the least, so that a disk at the edge
   * does not flap.
   */
  diskAgainFactor: 1.25,
  /**
   * After SQLite met a full disk, writes are refused this long at least: what free room says is not
   * the whole truth then.
   */
  diskFullPauseMs: 2_000,
  /**
   * Room held by the file `reserve`, given up when the disk is full all the same: several times
   * `checkpointBytes`, for the log is folded into the database before settling can go on. At most
   * `reserveShare` of the disk.
   */
  reserveBytes: 32 * MiB,
  reserveShare: 0.25,
  /**
   * The disk, the journal's size and its backlog are looked at this often, never for a single
   * write.
   */
  capacityLookMs: 250,
  /**
   * Fill levels remembered for the time-to-full: one every `capacitySampleMs`, over
   * `capacityWindowMs`; below `capacityWindowMsMin` nothing is foretold.
   */
  capacitySampleMs: 5_000,
  capacityWindowMs: 300_000,
  capacityWindowMsMin: 15_000,
  /**
   * A drill hides a beacon so long at most; it watches what comes in for `drillWatchMs` before, and
   * counts `drillEntryBytes` of rows and indexes beside each body.
   */
  drillSecondsMax: 600,
  drillWatchMs: 1_000,
  drillEntryBytes: 512,
  /** A time-to-full beyond a year says nothing. */
  timeToFullSecondsMax: 31_536_000,
  /**
   * Bytes of writes waiting for a commit before intake answers OVERLOADED, and of one commit: a few
   * of the largest bodies.
   */
  intakeBytesMax: 256 * MiB,
  commitBytesMax: 64 * MiB,
  /**
   * Pages of a drained journal given back to the disk in one step (a few milliseconds), while idle
   * and while more than these bytes are free in the file.
   */
  spaceStepPages: 256,
  spaceKeptBytes: 8 * MiB,
  spaceEveryMs: 1_000,
  /**
   * Moving marks by hand: a delivery that is under way is awaited this long; entries skipped at
   * once (one transaction, below a second).
   */
  moveMarkWaitMs: 4_000,
  moveSkipMax: 100_000,
  /**
   * Its plan: entries read between two turns of the event loop, entries and keys listed, and
   * entries looked up at the database.
   */
  planStepEntries: 5_000,
  planRowsMax: 500,
  planKeysMax: 20,
  planSamples: 16,
  /** Delay told to a sender that was refused for room. */
  overloadedRetryMs: 1_000,
  /** Delay told to a sender when the worker is starting or draining. */
  unavailableRetryMs: 500,
  /**
   * Longest `WaitMs` for a reply with `Wait: "applied"`; longer would outlive the sender's own
   * patience.
   */
  waitAppliedMsMax: 60_000,
  waitAppliedMsDefault: 5_000,
  /**
   * Senders who wait for "applied" at once, some 500 bytes each; and of those whose write is
   * blocked, how many are looked up at each settlement.
   */
  appliedWaitersMax: 10_000,
  blockedWaitersAsked: 100,
} as const;
