/** Bounds of what operators use: HTTP, the lab, their log, the console. */
import { KiB, MiB } from './bytes.ts';

export const operatorLimits = {
  /** HTTP request body of the operators' API. */
  httpBodyBytesMax: 1 * MiB,
  /**
   * Connections to it at once: many consoles and scrapers, and no more than a fraction of a
   * process's files.
   */
  httpConnectionsMax: 256,
  /**
   * Of these from one address: half, so that nobody keeps others out. Beyond them so many more that
   * are heard for the probes alone.
   */
  httpSocketsOfAddressMax: 128,
  httpProbeSocketsMax: 8,
  /** A connection on which nothing moves is closed; the longest answer takes a minute. */
  httpSilentMs: 120_000,
  /**
   * Bytes of a request's headers; its headers and the whole of it must have come by then, or the
   * connection is cut.
   */
  httpHeaderBytesMax: 16 * KiB,
  httpHeadersMs: 10_000,
  httpRequestMs: 15_000,
  /** Between two looks at connections that are slow. */
  httpLookMs: 2_000,
  /**
   * Calls without a right token, from one address: so many at once, then one each
   * `httpFailureMs`.
   */
  httpFailuresMax: 60,
  httpFailureMs: 1_000,
  /** Changing calls with one token from one address: each is a synced commit or two. */
  httpChangesMax: 200,
  httpChangeMs: 20,
  /** Addresses remembered for that: some 100 kB. */
  httpCallersMax: 1_000,
  /** Tokens of one file: all are compared at each call. */
  httpTokensMax: 1_000,
  /** Until when a worker may carry out what the lab ordered. */
  labAnswerMs: 2_000,
  /** What operators did, kept and shown at once; the texts of one line. */
  operatorActionsMax: 10_000,
  operatorActionsShownMax: 1_000,
  operatorActionsShown: 100,
  operatorTextCharsMax: 1_000,
  /**
   * Calls that were denied have rows of their own, one for each minute and kind, so many kinds a
   * minute at most; written together, this much later.
   */
  operatorDenialsMax: 1_000,
  operatorDenialsMs: 1_000,
  deniedKindsMax: 20,
  /** Half an hour of the console's charts, about 100 KiB as JSON. */
  historySampleMs: 2_000,
  historySamplesMax: 900,
  /** Consoles that follow one worker at once; a person needs one, a wall of screens some more. */
  liveClientsMax: 32,
  /**
   * A console is told of what changed at most this often, of a state in transit at least that
   * often, and that the worker is there when nothing changes.
   */
  liveGapMs: 400,
  liveTransitMs: 1_500,
  liveBeatMs: 5_000,
  /** A console that takes nothing for this long is let go; it comes back by itself. */
  liveStuckMs: 15_000,
  /**
   * What takes long to count is counted less often, so that it costs at most a twentieth of the
   * time.
   */
  liveCostFactor: 20,
  /** Other workers: answers to the ping are awaited this long; remembered are so many hubs. */
  fleetPingMs: 1_500,
  fleetHubsMax: 1_000,
  /** Address a worker says its console has: longer ones are no address anybody types. */
  consoleUrlCharsMax: 2_000,
  /** One status is awaited this long, and so many are asked for at once. */
  fleetStatusMs: 2_000,
  fleetAsksMax: 25,
  /**
   * While somebody looks: who is there is asked this often, and a worker in transit for its status
   * that often. An answer younger than `fleetFreshMs` is given again.
   */
  fleetEveryMs: 6_000,
  fleetTransitMs: 2_000,
  fleetFreshMs: 1_000,
  /**
   * Looking for the writes of a key: entries looked at from the newest back, in steps of a few
   * milliseconds, and entries listed.
   */
  locateScanEntries: 200_000,
  locateStepEntries: 5_000,
  locateEntriesMax: 50,
  /** Searches that wait for the one that is running; each may take seconds. */
  locateWaitingMax: 16,
} as const;
