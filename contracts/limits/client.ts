/** Bounds for senders (the hub client and the drop-in bridges), and for the service manager. */
import { MiB } from './bytes.ts';

export const clientLimits = {
  /** Chunks of one transfer: 64 MiB at 1 KiB each, so that a large count cannot reserve memory. */
  chunksMax: 65_536,
  /**
   * Hub client: how long to wait for one answer, how long to retry a write, and how many writes may
   * be in memory.
   */
  clientTimeoutMs: 5_000,
  /**
   * Added to it for each MiB of a body: a busy worker takes its time for a large one, and sending it
   * again would only add to that.
   */
  clientTimeoutMsPerMiB: 1_000,
  clientGiveUpMs: 120_000,
  clientWritesMax: 100_000,
  /**
   * Characters of JSON of the writes in memory: a few of the largest manifests, or any number of
   * usual writes.
   */
  clientCharsMax: 256 * MiB,
  /**
   * Hub client in batch mode: a request is sent at this many items or after this delay, whichever
   * comes first.
   */
  clientBatchItems: 100,
  clientBatchDelayMs: 2,
  /**
   * How long one message to the service manager may take, and how often it gets a status when it
   * wants no watchdog.
   */
  notifyMs: 10_000,
  notifyStatusMs: 30_000,
  /**
   * Drop-in bridges: writes in flight, how often the worker's status is requested (also while it is
   * away), and how long a write is kept by default.
   */
  dropinInFlightMax: 256,
  dropinStatusMs: 2_000,
  dropinProbeMs: 250,
  dropinGiveUpMs: 24 * 3_600_000,
  /**
   * A bridge's file of waiting writes: its size on disk, and how many of its writes and characters
   * are in memory. Half a million usual writes take 512 MiB, so a backlog of a million fits twice.
   */
  dropinFileBytesMax: 2_048 * MiB,
  dropinWindowWrites: 4_000,
  dropinFetchWrites: 64,
  dropinWindowChars: 8 * MiB,
  /** Overhead of a write in memory besides its text: its promise and its place in the queue. */
  dropinWriteBytes: 2_048,
  /**
   * Answered writes are removed from the file together, after this delay or at this many. A hub
   * that crashes first sends them again, with the same EventGUID.
   */
  dropinForgetMs: 25,
  dropinForgetWrites: 256,
  /** Pages of 4 KiB: written between two syncs of the file, and unused before they are returned. */
  dropinCheckpointPages: 4_000,
  dropinFreePagesMax: 1_000,
  /** How long a starting hub waits for the file of a predecessor that is still ending. */
  dropinLockMs: 10_000,
  dropinLockProbeMs: 250,
  /**
   * When nobody answers: reads stop waiting after this long; the log mentions it after, and again
   * every.
   */
  dropinAwayMs: 1_000,
  dropinFirstWordMs: 5_000,
  dropinNextWordMs: 60_000,
  /** How long the question for other served hubs may take. */
  dropinServedMs: 500,
  /** Work items a bridge remembers as sent: 16 MB of hashes, more than a hub has open. */
  dropinKnownItems: 100_000,
  /** Waiting writes that are folded into one read. */
  dropinFoldWrites: 5_000,
  /**
   * Reads of a drop-in bridge wait as long as the incumbent's did; stopping waits this long for the
   * last answers.
   */
  dropinReadMs: 5_000,
  dropinCloseMs: 10_000,
} as const;
