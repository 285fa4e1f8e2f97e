/** Bounds of messages on the bus: bodies, chunks, batches, names. */
import { KiB, MiB } from './bytes.ts';

export const messageLimits = {
  /**
   * Whole body of one write after decompression; manifests reach tens of megabytes. Above it:
   * TOO_LARGE.
   */
  bodyBytesMax: 64 * MiB,
  /**
   * Bodies up to this size are decoded at once, which takes a few milliseconds at most; larger ones
   * are decoded one at a time in a thread of their own.
   */
  smallBodyBytesMax: 256 * KiB,
  /** Values in one message of a chunk transfer; it has seven members. */
  chunkValuesMax: 32,
  /**
   * Large bodies waiting for the thread: their number, and their bytes once unzipped (64 MiB take
   * about 2 s). One sender may use half of the bytes, because the others wait as well.
   */
  largeBodiesMax: 256,
  largeBodiesBytesMax: 512 * MiB,
  largeBodiesSenderBytesMax: 256 * MiB,
  /** Their bytes as received, which is the memory they take while they wait. */
  largeBodiesHeldBytesMax: 128 * MiB,
  /** After a larger body the thread is ended, so that the next one starts with an empty heap. */
  largeBodyKeptBytesMax: 8 * MiB,
  /** Time and memory the thread may take for one body; without work it ends after the last. */
  largeBodyMs: 30_000,
  largeBodyHeapMiB: 640,
  largeBodyIdleMs: 5_000,
  /** Settings of a read, as JSON text: a filter or a key. */
  readSettingsCharsMax: 1 * MiB,
  /** Values in a body, including members and their names: 64 MiB of `[],` would be 20 million. */
  bodyValuesMax: 2_000_000,
  /** Integers too long for JSON that a refusal names one by one. */
  longIntegersMax: 1_000,
  /** Nesting of a body: its envelope, and `jsonDepthMax` within. */
  bodyDepthMax: 136,
  /**
   * Smaller JSON cannot have too many values, so it is parsed without a scan; its depth is checked
   * afterwards.
   */
  jsonScanAboveBytes: 64 * KiB,
  /** Our senders gzip larger requests; below this it costs more CPU than it saves. */
  gzipAboveBytes: 64 * KiB,
  /**
   * Larger answers are gzipped for senders that accept it; it does not pay for lists of outcomes.
   */
  gzipAnswerAboveBytes: 1 * MiB,
  /** The same towards beacons, which are close: only for what might not fit into a message. */
  gzipToBeaconAboveBytes: 6 * MiB,
  /**
   * `max_payload` of the nats-server that `up` starts; nats-server allows 64 MiB and recommends 8.
   */
  busPayloadBytesMax: 8 * MiB,
  /** Room left in a message for headers and framing when a body is cut into chunks. */
  chunkOverheadBytes: 16 * KiB,
  /** Incomplete chunk transfers are dropped after this; the sender repeats the whole transfer. */
  chunkTransferMs: 60_000,
  /**
   * Incomplete chunk transfers held at once, and their bytes: three of the largest bodies, so that
   * memory stays below 512 MiB. One sender may hold two thirds of it.
   */
  chunkTransfersMax: 64,
  chunkBytesMax: 192 * MiB,
  chunkSenderTransfersMax: 16,
  chunkSenderBytesMax: 128 * MiB,
  /**
   * A transfer without a new chunk for this long may be evicted, because chunks follow each other
   * closely.
   */
  chunkIdleMs: 5_000,
  /**
   * Answers larger than a message that are being fetched: two of the largest. A refused read can be
   * repeated.
   */
  heldAnswersBytesMax: 128 * MiB,
  /**
   * Nesting of a JSON value; real manifests stay below 20, and deeper ones would exhaust the stack.
   */
  jsonDepthMax: 128,
  /**
   * Items of one batch request: as many as one commit takes (`commitWritesMax`), so that none waits
   * for a second commit.
   */
  batchItemsMax: 2_000,
  /** Characters of a Reason, which may quote a path with field names of the sender. */
  refusalCharsMax: 1_000,
  /** Characters of a HubID, RemoteUser and the like. */
  hubIdCharsMax: 64,
  remoteUserCharsMax: 128,
} as const;
