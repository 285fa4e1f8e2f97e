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
   * Reads of a drop-in bridge wait as long as the incumbent's did; a stop waits so long for the
   * last answers.
   */
  dropinReadMs: 5_000,
  dropinCloseMs: 10_000,
} as const;
