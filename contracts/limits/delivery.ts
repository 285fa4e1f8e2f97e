/** Bounds between a worker and its beacons: deliveries, presence, reads. */
import { MiB } from './bytes.ts';

export const deliveryLimits = {
  /**
   * Entries of one delivery: starts at `deliverEntriesMin`, doubles while the beacon answers fast.
   */
  deliverEntriesMin: 64,
  deliverEntriesMax: 4_000,
  /** Entries read and translated between two turns of the event loop: a few milliseconds. */
  deliverStepEntries: 250,
  /** Body bytes of one delivery, so that a batch of manifests fits into a message. */
  deliverBytesMax: 4 * MiB,
  /** Characters of a column from which a delivery is sent as MessagePack, which escapes nothing. */
  longTextChars: 1 * MiB,
  /** A faster delivery lets the next one grow; one slower than `deliverSlowMs` shrinks it. */
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
  /** Rows per page from a foreign beacon: by default the incumbent returns no more. */
  foreignPageRows: 250,
  /** Presence is published this often; a beacon silent for `presenceAwayMs` is away. */
  presenceEveryMs: 2_000,
  presenceAwayMs: 6_000,
  /** Names with two claimants that are tracked, and Nonces tracked for one name. */
  claimsMax: 64,
  /** A beacon that is silent this long is asked; without responders it is away at once. */
  presenceProbeMs: 2_500,
  /**
   * Items of a list in a presence message (a databeacon has at most 100 connections), and
   * characters of a text.
   */
  presenceItemsMax: 200,
  presenceCharsMax: 128,
  /**
   * Beacons known at once, and how long an away one is remembered; bounded because anybody may
   * announce beacons.
   */
  beaconsMax: 1_000,
  beaconForgottenMs: 3_600_000,
  /** Silent beacons asked at once, four times a second, besides the assigned ones. */
  beaconsAskedMax: 20,
  /** Rows of a list answer: the most, and the default. */
  listRowsMax: 5_000,
  listRowsDefault: 500,
  /** Reads running and waiting; beyond that UNAVAILABLE. */
  readsMax: 32,
  readsWaitingMax: 2_000,
  /** Database rows fetched in one list read to complete buffered ones. */
  listBaseRowsMax: 5_000,
  /** How often workers of one hub look for each other. */
  ownerLookMs: 2_000,
  /** How long a start waits for a worker of its hub that may be ending. */
  ownerGraceMs: 4_000,
  /** Rows of the journal gone through for a list between two turns of the event loop. */
  listStepRows: 500,
} as const;
