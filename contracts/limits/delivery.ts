/** Bounds of what goes on between a worker and its beacons: deliveries, presence, reads. */
import { MiB } from './bytes.ts';

export const deliveryLimits = {
  /**
   * Entries of one delivery: starts at `deliverEntriesMin`, doubles while the beacon answers fast.
   */
  deliverEntriesMin: 64,
  deliverEntriesMax: 4_000,
  /** Entries read and translated between two turns of the event loop: a few milliseconds. */
  deliverStepEntries: 250,
  /** Body bytes of one delivery, so that a batch of manifests stays below a message. */
  deliverBytesMax: 4 * MiB,
  /** Text of a column from which a delivery goes as MessagePack, where nothing in it is escaped. */
  longTextChars: 1 * MiB,
  /** A delivery faster than this may grow, slower than `deliverSlowMs` shrinks. */
  deliverFastMs: 250,
  deliverSlowMs: 1_000,
  /** Deadline of one capability request. */
  capabilityMs: 15_000,
  /** Deadline of a bootstrap step: a migration may build indexes. */
  bootstrapStepMs: 60_000,
  /** Back-off after a failed delivery or bootstrap: first and longest delay. */
  backoffFirstMs: 100,
  backoffLongestMs: 5_000,
  /** Requests in flight to a beacon that has no batch capability. */
  proxyRequestsMax: 16,
  /**
   * Rows asked of a beacon that is not ours in one page: the incumbent gives no more unless told
   * otherwise.
   */
  foreignPageRows: 250,
  /** Presence is published this often; a beacon silent for `presenceAwayMs` is away. */
  presenceEveryMs: 2_000,
  presenceAwayMs: 6_000,
  /** Beacons whose name two may claim, and Nonces of one that are told apart. */
  claimsMax: 64,
  /**
   * A beacon silent this long is asked whether it is there: with no responders it is away at once.
   */
  presenceProbeMs: 2_500,
  /**
   * Items of a list in a presence message (a databeacon has at most 100 connections), and characters
   * of a text in it.
   */
  presenceItemsMax: 200,
  presenceCharsMax: 128,
  /**
   * Beacons known at once, and how long one that is away is remembered: anybody may say that there
   * is one more.
   */
  beaconsMax: 1_000,
  beaconForgottenMs: 3_600_000,
  /** Silent beacons asked in one look, four times a second, beside those a lane goes to. */
  beaconsAskedMax: 20,
  /** Rows of one list answer, and what is sent when nothing is asked for. */
  listRowsMax: 5_000,
  listRowsDefault: 500,
  /** Reads running at once, and waiting; beyond that UNAVAILABLE. */
  readsMax: 32,
  readsWaitingMax: 2_000,
  /** Base rows fetched to complete buffered ones in one list read. */
  listBaseRowsMax: 5_000,
} as const;
