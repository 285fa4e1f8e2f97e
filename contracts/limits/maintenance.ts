/** Bounds of maintenance operations and of trace context. */
import { MiB } from './bytes.ts';

export const maintenanceLimits = {
  /** Attempts of maintenance operations kept: years of them, at a few a day. */
  operationAttemptsMax: 10_000,
  /** Attempts shown in one history. */
  operationHistoryMax: 500,
  /**
   * A dry run holds one transaction open, and writes wait for it; after this time it stops after
   * its current step.
   */
  operationDryRunMs: 2_000,
  /** Bytes of an operation's file: it is code for people to read. */
  operationFileBytesMax: 1 * MiB,
  /**
   * Digests of such files kept, and the minimum age of a change before its time identifies it (FAT
   * has a resolution of 2 s).
   */
  operationFilesKept: 1_000,
  fileTimeTickMs: 2_500,
  /** Lines of a running operation kept for progress requests. */
  operationLinesMax: 1_000,
  /**
   * Work of a shipped operation in one step, in pages, rows, dead letters and entries: writes wait
   * a few milliseconds at most.
   */
  compactStepPages: 256,
  rebuildStepRows: 1_000,
  purgeStepEntries: 500,
  verifyStepEntries: 64,
  /** Entries `verify-applied` checks by default. */
  verifyEntriesDefault: 1_000,
  /**
   * Trace context of a request: the standard's 55 characters with room for later versions, and the
   * length of tracestate that the standard asks to pass on.
   */
  traceParentCharsMax: 128,
  traceStateCharsMax: 512,
  /**
   * Writes that a delivery's span links to: as many as SDKs keep; and those named to the beacon,
   * 1.8 KB of headers.
   */
  traceLinksMax: 128,
  traceLinksSentMax: 32,
  /**
   * One-way messages taken from JetStream in one fetch, and their bytes: nats-server disconnects a
   * client for which it would buffer more than 64 MiB.
   */
  streamFetchMax: 500,
  streamFetchBytesMax: 32 * MiB,
} as const;
