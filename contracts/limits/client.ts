/** Bounds of those who send: the hub client and the drop-in bridges; and of the service manager. */
import { MiB } from './bytes.ts';

export const clientLimits = {
  /**
   * Chunks of one transfer: 64 MiB at 1 KiB each, so that a count cannot reserve memory by itself.
   */
  chunksMax: 65_536,
  /**
   * Hub client: one answer is awaited this long, a write is retried this long, and this many may
   * wait in its memory.
   */
  clientTimeoutMs: 5_000,
  clientGiveUpMs: 120_000,
  clientWritesMax: 100_000,
  /**
   * Characters of what waits in its memory, as JSON: a few of the largest manifests, or all of the
   * usual writes.
   */
  clientCharsMax: 256 * MiB,
  /**
   * Hub client in batch mode: a request leaves at this many items or after this delay, whichever is
   * first.
   */
  clientBatchItems: 100,
  clientBatchDelayMs: 2,
  /** One word to the service manager, and how often it hears a status when it wants no watchdog. */
  notifyMs: 10_000,
  notifyStatusMs: 30_000,
  /**
   * Drop-in bridges: writes on their way at once, how often the worker is asked how it is (and
   * while it is away), and how long a write is kept by default.
   */
  dropinInFlightMax: 256,
  dropinStatusMs: 2_000,
  dropinProbeMs: 250,
  dropinGiveUpMs: 24 * 3_600_000,
  /**
   * What waits of a hub's writes in its file: this much of the disk at most, of which so many writes
   * and characters are in memory at once. Half a million of the usual writes are 512 MiB; a backlog
   * of a million fits twice.
   */
  dropinFileBytesMax: 2_048 * MiB,
  dropinWindowWrites: 4_000,
  dropinFetchWrites: 64,
  dropinWindowChars: 8 * MiB,
  /** What a write that waits in memory costs beside its text: its promise, and where it stands. */
  dropinWriteBytes: 2_048,
  /**
   * Answered writes leave the file together, after this long or at this many. A hub that dies first
   * sends them once more, under the same EventGUID.
   */
  dropinForgetMs: 25,
  dropinForgetWrites: 256,
  /** Pages of 4 KiB: between two syncs of the file, and unused before they are given back. */
  dropinCheckpointPages: 4_000,
  dropinFreePagesMax: 1_000,
  /** A hub that starts while the one before still ends waits so long for the file. */
  dropinLockMs: 10_000,
  dropinLockProbeMs: 250,
  /**
   * Nobody answers: reads stop waiting after this long; a line of the log says it after, and again
   * each.
   */
  dropinAwayMs: 1_000,
  dropinFirstWordMs: 5_000,
  dropinNextWordMs: 60_000,
  /** Who else is served on the bus is asked so long. */
  dropinServedMs: 500,
  /** Work items a bridge remembers to have sent: 16 MB of hashes, more than a hub has open. */
  dropinKnownItems: 100_000,
  /** Writes that wait here and are folded for one read. */
  dropinFoldWrites: 5_000,
  /**
   * Reads of a drop-in bridge wait as long as the incumbent's did; a stop waits so long for the
   * last answers.
   */
  dropinReadMs: 5_000,
  dropinCloseMs: 10_000,
} as const;
