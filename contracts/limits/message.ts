/** Bounds of what crosses the bus: bodies, chunks, batches, names. */
import { KiB, MiB } from './bytes.ts';

export const messageLimits = {
  /**
   * Whole body of one write after decompression; manifests reach tens of megabytes. Above it:
   * TOO_LARGE.
   */
  bodyBytesMax: 64 * MiB,
  /**
   * Bodies up to this size are decoded at once, a few milliseconds at the worst; larger ones in a
   * thread of their own, one at a time.
   */
  smallBodyBytesMax: 256 * KiB,
  /** Values of one message of a chunk transfer; it has seven members. */
  chunkValuesMax: 32,
  /**
   * Large bodies that wait for the thread: their number, and what they come to once they are
   * unzipped, some 2 s for 64 MiB; of one sender half of it, for the others wait as well.
   */
  largeBodiesMax: 256,
  largeBodiesBytesMax: 512 * MiB,
  largeBodiesSenderBytesMax: 256 * MiB,
  /** Bytes of them as they came, which is what they take while they wait. */
  largeBodiesHeldBytesMax: 128 * MiB,
  /** A thread that decoded one above this is ended, for the next to begin with an empty heap. */
  largeBodyKeptBytesMax: 8 * MiB,
  /** The thread may take this long and this much memory for one; without work it ends. */
  largeBodyMs: 30_000,
  largeBodyHeapMiB: 640,
  largeBodyIdleMs: 5_000,
  /** Settings of a read, as JSON text: a filter or a key. */
  readSettingsCharsMax: 1 * MiB,
  /** Values in a body, members and their names counted: 64 MiB of `[],` would be 20 million. */
  bodyValuesMax: 2_000_000,
  /** Integers of one JSON body that would be rounded and are named one by one when refused. */
  longIntegersMax: 1_000,
  /** Levels in a body: its envelope, and `jsonDepthMax` within. */
  bodyDepthMax: 136,
  /** Smaller JSON cannot have too many values; the walk over what was parsed finds its depth. */
  jsonScanAboveBytes: 64 * KiB,
  /** Requests above this are gzipped by our senders: below it the CPU costs more than the bytes. */
  gzipAboveBytes: 64 * KiB,
  /** Answers above this are gzipped for those who take it: a list of outcomes is not worth it. */
  gzipAnswerAboveBytes: 1 * MiB,
  /** The same towards beacons, which are near: only what may not fit into a message otherwise. */
  gzipToBeaconAboveBytes: 6 * MiB,
  /**
   * `max_payload` of the nats-server that `up` starts; nats-server's own ceiling for it is 64 MiB,
   * its advice 8.
   */
  busPayloadBytesMax: 8 * MiB,
  /** Room left in a message for headers and framing when a body is cut into chunks. */
  chunkOverheadBytes: 16 * KiB,
  /** Half-sent chunk transfers are forgotten after this; a sender retries the whole. */
  chunkTransferMs: 60_000,
  /**
   * Half-sent chunk transfers held at once, and their bytes: three of the largest bodies, so that
   * memory stays below 512 MiB. One sender may hold two thirds of it.
   */
  chunkTransfersMax: 64,
  chunkBytesMax: 192 * MiB,
  chunkSenderTransfersMax: 16,
  chunkSenderBytesMax: 128 * MiB,
  /** One without a new chunk for so long makes room for another: chunks follow each other at once. */
  chunkIdleMs: 5_000,
  /**
   * Answers above one message that are being fetched: two of the largest, for a read is asked for
   * again when it is refused.
   */
  heldAnswersBytesMax: 128 * MiB,
  /**
   * Nesting of a JSON value; real manifests stay below 20, and deeper ones would exhaust the stack.
   */
  jsonDepthMax: 128,
  /**
   * Items of one batch request: as many as one commit takes (`commitWritesMax`), so that none waits
   * for a second one.
   */
  batchItemsMax: 2_000,
  /** Characters of a Reason: it can quote the path to a field, whose names are the sender's. */
  refusalCharsMax: 1_000,
  /** Characters of a HubID, RemoteUser and the like. */
  hubIdCharsMax: 64,
  remoteUserCharsMax: 128,
} as const;
