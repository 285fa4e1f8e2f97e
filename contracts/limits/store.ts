/** Bounds of a worker's files: retention, checks, rescue, projection, an orderly stop. */
import { MiB } from './bytes.ts';

export const storeLimits = {
  /** The JSON files for people lag behind by this at most. */
  mirrorDelayMs: 300,
  /**
   * Entries kept after delivery, for reads in an outage and for a backend that went back in time.
   */
  retainedEntriesMax: 1_000_000,
  retainedMs: 24 * 3_600_000,
  /**
   * How often the state files are checked, besides at every commit. An idle worker may miss a
   * deletion for this long.
   */
  guardLookMs: 1_000,
  /** Inconclusive checks in a row before health reports degraded. */
  guardUnknownsMax: 5,
  /**
   * Age from which a folder's modification time is trusted: file systems store it in steps of up to
   * 10 ms.
   */
  folderTimeSettlesMs: 50,
  /**
   * The log is checkpointed at this many bytes, rows or commits. Then it stays in the page cache,
   * and a start reads it quickly. A restarted log is overwritten in place; a growing one makes each
   * sync nearly twice as slow. Small commits write about 24 KiB of pages each.
   */
  checkpointBytes: 8 * MiB,
  /** A page of the database: what a row of a random GUID adds to the log, however small it is. */
  pageBytes: 4_096,
  checkpointRows: 10_000,
  checkpointCommits: 350,
  /** A longer log is truncated while the worker is idle. */
  logBytesIdle: 16 * MiB,
  /**
   * Changes kept for listeners while the bus is away; beyond that, listeners are told to read
   * everything again. About 10 MB.
   */
  changeLogRowsMax: 100_000,
  /**
   * Rows of the change log in one event, ids named in one change, and the time over which changes
   * are collected.
   */
  changeEventRows: 500,
  changeIdsMax: 100,
  changeCollectMs: 200,
  /** The incumbent's files have a few hundred bytes; larger ones are something else. */
  legacyBytesMax: 1 * MiB,
  /** Characters kept of a rejected item. */
  legacyItemCharsMax: 10_000,
  /** Faults shown in health, and kept. */
  faultsShown: 20,
  faultsKept: 1_000,
  /**
   * Unclassified failures of the store before the process ends: one may be a single bad write,
   * three are not.
   */
  storeStrikesMax: 3,
  /** How often the log repeats that the bus is away. */
  busReminderMs: 60_000,
  /** Delay between attempts to open a store that cannot be opened: first and longest. */
  frozenFirstMs: 500,
  frozenLongestMs: 10_000,
  /**
   * Highest Seq accepted from a file: microseconds of the year 2096, so that one bad line cannot
   * use up all numbers.
   */
  seqMax: 4_000_000_000_000_000,
  /** Entries merged in one transaction, and between two turns of the event loop: below 50 ms. */
  mergeStepEntries: 2_000,
  /** Conflicts and damaged entries named in one finding; their total is always given. */
  findingItemsMax: 20,
  /**
   * State files up to this size are checked completely at every start (0.4 s); up to the larger
   * size quickly, after an unclean stop (2 s).
   */
  checkedBytesMax: 256 * MiB,
  checkedUncleanBytesMax: 4 * 1024 * MiB,
  /** Merged rescues kept, and folders of files set aside; the oldest are deleted. */
  rescuesMergedMax: 5,
  asideFoldersMax: 10,
  /**
   * A rescue without its note is still being written, unless its process is gone or it is older
   * than this.
   */
  rescueUnfinishedMs: 600_000,
  /**
   * First Seqs of starts kept in store.json, to distinguish holes from gaps between starts when
   * state.db is lost.
   */
  startsRemembered: 100,
  /** Runs of Seqs of an imported file that are remembered; the same number for starts. */
  importRunsMax: 500,
  /** How often a running worker checks for a rescue that its predecessor finished late. */
  rescueLookMs: 5_000,
  /**
   * Entries looked at, and stripped of their body, in one step of retention, and the time for it.
   * On a busy machine a step strips at least so many: it must keep up with what is delivered.
   */
  retentionStepEntries: 2_000,
  retentionStepMs: 10,
  retentionStripEntries: 200,
  retentionStripLeast: 50,
  /**
   * Accepted writes whose EventGUID is known: for so long, and at most so many. 50 million are some
   * 5 GB.
   */
  dedupMs: 30 * 24 * 3_600_000,
  dedupEntriesMax: 50_000_000,
  /** The longest that may be set for keeping, ten years. */
  keepMsMax: 3_650 * 24 * 3_600_000,
  /** A horizon below this is pointed out: a hub may keep a write for a day before it sends it. */
  dedupLeastMs: 24 * 3_600_000,
  /**
   * The time in a version 7 EventGUID counts if it is at most so far ahead of its acceptance: clocks
   * differ, but a GUID of next year must not keep all behind it from being forgotten.
   */
  guidAheadMs: 24 * 3_600_000,
  /** Rows forgotten in one step, or for so long: random GUIDs lie all over their index. */
  forgetStepEntries: 250,
  forgetStepMs: 8,
  /** Rows, and bytes of bodies, moved out of the table of schema 3 in one step: below 20 ms. */
  moveStepEntries: 500,
  moveStepMs: 10,
  moveStepBytes: 1 * MiB,
  /** Deliveries within so long are noted as one: a write's time of delivery is as exact as that. */
  deliverySlotMs: 10_000,
  /** Released keys looked at, and released writes sent, at once: settling them stays below 20 ms. */
  releasedKeysLooked: 500,
  releasedEntriesMax: 500,
  /**
   * Writes parked behind a dead letter in one step, and in one delivery, whose mark moves in one
   * transaction with all of them.
   */
  parkStepEntries: 250,
  parkedEntriesMax: 1_000,
  /**
   * For the balance, a longer backlog is counted in full only once in this time, so many entries
   * with each look (a few milliseconds); in between only changes are counted.
   */
  countWholeEntries: 20_000,
  countWholeMs: 60_000,
  countSliceEntries: 100_000,
  /** Without a commit for this long the worker is idle, and prepares what reads need. */
  projectionIdleMs: 500,
  /** Entries the read projection folds between two turns of the event loop. */
  projectionStepEntries: 500,
  /** An orderly stop takes this long at most; accepted writes are on disk. */
  drainMs: 10_000,
  /**
   * One-way messages that can never be accepted: bytes of bodies kept (a few of the largest),
   * messages kept (some 10 MB without bodies), characters of a subject and of a reason.
   */
  refusedBytesMax: 64 * MiB,
  refusedMax: 10_000,
  refusedTextCharsMax: 1_000,
  /** How often a child of `up` checks whether its parent is still running. */
  parentLookMs: 250,
} as const;
