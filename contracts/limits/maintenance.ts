/** Bounds of maintenance operations and of trace context. */
import { MiB } from './bytes.ts';

export const maintenanceLimits = {
  /** Attempts of maintenance operations kept: years of them, at a few a day. */
  operationAttemptsMax: 10_000,
  /** Attempts shown in one history. */
  operationHistoryMax: 500,
  /**
   * A dry run holds one transaction open, and writes wait for it: beyond this it looks at the first
   * steps only.
   */
  operationDryRunMs: 2_000,
  /** Bytes of an operation's file: it is code that somebody reads. */
  operationFileBytesMax: 1 * MiB,
  /**
   * Digests of such files that are remembered, and how old a change must be for its time to tell it
   * from the next one (2 s on FAT).
   */
  operationFilesKept: 1_000,
  fileTimeTickMs: 2_500,
  /** Lines of a running operation kept for whoever asks how far it is. */
  operationLinesMax: 1_000,
  /**
   * What a shipped operation does in one step, in pages, rows, dead letters and entries: writes
   * wait a few milliseconds at most.
   */
  compactStepPages: 256,
  rebuildStepRows: 1_000,
  purgeStepEntries: 500,
  verifyStepEntries: 64,
  /** Entries `verify-applied` looks at when nothing is said. */
  verifyEntriesDefault: 1_000,
  /**
   * Trace context of a request: the standard's 55 characters, and room for its later versions; the
   * most it wants of tracestate to be passed on.
   */
  traceParentCharsMax: 128,
  traceStateCharsMax: 512,
  /**
   * Writes a delivery is linked to: as many as SDKs keep; and those named to the beacon, 1.8 KB of
   * headers.
   */
  traceLinksMax: 128,
  traceLinksSentMax: 32,
  /**
   * One-way messages taken from JetStream in one fetch, and their bytes: a nats-server lets go of a
   * client for which it would hold more than 64 MiB.
   */
  streamFetchMax: 500,
  streamFetchBytesMax: 32 * MiB,
} as const;
