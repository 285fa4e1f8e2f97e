/** Bounds of the files a worker keeps: retention, checks, rescue, projection, an orderly stop. */
import { MiB } from './bytes.ts';

export const storeLimits = {
  /** The JSON files for people are at most this far behind. */
  mirrorDelayMs: 300,
  /**
   * Entries kept after delivery, for reads in an outage and for a backend that went back in time.
   */
  retainedEntriesMax: 1_000_000,
  retainedMs: 24 * 3_600_000,
  /**
   * The state files are looked at this often, and at every commit; so long may a deletion go unseen
   * by a worker that has nothing to do.
   */
  guardLookMs: 1_000,
  /** Looks in a row that could not tell before health says degraded. */
  guardUnknownsMax: 5,
  /**
   * A folder's time of change is trusted so long after it was first seen: file systems keep it in
   * steps of up to 10 ms.
   */
  folderTimeSettlesMs: 50,
  /**
   * The log is folded into the database at so many bytes, rows or commits: it stays in the page
   * cache, a start reads it in a blink, and a log that is begun anew is written over, where one
   * that grows costs each sync nearly twice. Small commits write some 24 KiB of pages each.
   */
  checkpointBytes: 8 * MiB,
  checkpointRows: 10_000,
  checkpointCommits: 350,
  /** A log longer than this is cut when nothing is going on. */
  logBytesIdle: 16 * MiB,
  /**
   * Changes that wait for listeners while the bus is away; beyond that they are told to read
   * everything again. About 10 MB.
   */
  changeLogRowsMax: 100_000,
  /**
   * Rows of the change log told in one event, ids named in one change, and the time in which
   * changes are told together.
   */
  changeEventRows: 500,
  changeIdsMax: 100,
  changeCollectMs: 200,
  /** Files of the incumbent are a few hundred bytes; larger ones are something else. */
  legacyBytesMax: 1 * MiB,
  /** A rejected item is kept up to so many characters. */
  legacyItemCharsMax: 10_000,
  /** Faults shown in health, and kept. */
  faultsShown: 20,
  faultsKept: 1_000,
  /**
   * Failures of the store that fit no class before the process ends: one may be a single bad write,
   * three are not.
   */
  storeStrikesMax: 3,
  /** A bus that stays away is mentioned again in the log after this long. */
  busReminderMs: 60_000,
  /** Delay between two tries to open a store that cannot be opened: first and longest. */
  frozenFirstMs: 500,
  frozenLongestMs: 10_000,
  /**
   * Highest Seq taken from a file: microseconds of the year 2096, so that one bad line cannot use
   * up all numbers.
   */
  seqMax: 4_000_000_000_000_000,
  /** Entries merged in one transaction, and between two turns of the event loop: below 50 ms. */
  mergeStepEntries: 2_000,
  /** Conflicts and damaged entries named in one finding; their number is told in full. */
  findingItemsMax: 20,
  /**
   * State files up to this size are checked through and through at every start (0.4 s), and up to
   * the larger one quickly after an unclean stop (2 s).
   */
  checkedBytesMax: 256 * MiB,
  checkedUncleanBytesMax: 4 * 1024 * MiB,
  /** Rescues kept after they were merged, and folders of files set aside; the oldest go. */
  rescuesMergedMax: 5,
  asideFoldersMax: 10,
  /**
   * A rescue without its note is still being written, unless its process is gone or it is older
   * than this.
   */
  rescueUnfinishedMs: 600_000,
  /**
   * First Seqs of starts kept in store.json, to tell holes from the room between starts when
   * state.db is gone.
   */
  startsRemembered: 100,
  /** Runs of Seqs of an imported file that are remembered; as many starts are. */
  importRunsMax: 500,
  /** A running worker looks this often whether a predecessor ended its rescue only now. */
  rescueLookMs: 5_000,
  /** Entries looked at, and stripped of their body, in one step of retention; it may take so long. */
  retentionStepEntries: 2_000,
  retentionStepMs: 10,
  retentionStripEntries: 100,
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
  /** Rows forgotten in one step: random GUIDs lie all over their index. */
  forgetStepEntries: 250,
  /** Rows, and bytes of bodies, moved out of the table of schema 3 in one step: below 20 ms. */
  moveStepEntries: 500,
  moveStepMs: 10,
  moveStepBytes: 1 * MiB,
  /** Deliveries within so long are noted as one: a write's time of delivery is as exact as that. */
  deliverySlotMs: 10_000,
  /** Released keys looked at, and released writes sent, at once: settling them stays below 20 ms. */
  releasedKeysLooked: 500,
  releasedEntriesMax: 1_000,
  /**
   * A backlog longer than this is counted whole only once in this time for the balance; what
   * changed since, each time.
   */
  countWholeEntries: 20_000,
  countWholeMs: 60_000,
  /** Without a commit for this long the worker counts as idle, and makes ready what reads need. */
  projectionIdleMs: 500,
  /** Entries the read projection folds between two turns of the event loop. */
  projectionStepEntries: 500,
  /** Orderly stop: after this the process leaves; what was accepted is on disk. */
  drainMs: 10_000,
  /**
   * One-way messages that can never be accepted: bytes of the bodies kept, a few of the largest;
   * messages kept, some 10 MB without bodies; characters of a subject and of a reason.
   */
  refusedBytesMax: 64 * MiB,
  refusedMax: 10_000,
  refusedTextCharsMax: 1_000,
  /** A child of `up` looks this often whether its parent is still there. */
  parentLookMs: 250,
} as const;
