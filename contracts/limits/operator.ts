/** Bounds for operators: HTTP, the lab, their log, the console. */
import { KiB, MiB } from './bytes.ts';

export const operatorLimits = {
  /** HTTP request body of the operators' API. */
  httpBodyBytesMax: 1 * MiB,
  /**
   * HTTP connections at once: many consoles and scrapers, but only a fraction of a process's files.
   */
  httpConnectionsMax: 256,
  /**
   * Connections from one address: half of them, so that nobody can keep others out. Above the
   * bounds this many more are accepted for the probes alone.
   */
  httpSocketsOfAddressMax: 128,
  httpProbeSocketsMax: 8,
  /** A connection without traffic for this long is closed; the longest answer takes a minute. */
  httpSilentMs: 120_000,
  /**
   * Bytes of a request's headers, and by when its headers and the whole request must have arrived.
   */
  httpHeaderBytesMax: 16 * KiB,
  httpHeadersMs: 10_000,
  httpRequestMs: 15_000,
  /** Time between two checks for slow connections. */
  httpLookMs: 2_000,
  /**
   * Calls without a valid token from one address: this many at once, then one each `httpFailureMs`.
   */
  httpFailuresMax: 60,
  httpFailureMs: 1_000,
  /** Changing calls with one token from one address; each costs a synced commit or two. */
  httpChangesMax: 200,
  httpChangeMs: 20,
  /** Addresses tracked for that: some 100 kB. */
  httpCallersMax: 1_000,
  /** Tokens in one file; every call is compared with all of them. */
  httpTokensMax: 1_000,
  /** How long a worker may still carry out an assignment by the lab. */
  labAnswerMs: 2_000,
  /** Rows of the operators' log: kept, shown at once, and characters of their texts. */
  operatorActionsMax: 10_000,
  /** Calls that were refused because they were wrong, or not possible then. */
  operatorRefusalsMax: 1_000,
  operatorActionsShownMax: 1_000,
  operatorActionsShown: 100,
  operatorTextCharsMax: 1_000,
  /**
   * Denied calls have rows of their own, one for each minute and kind, with this many kinds a
   * minute; they are written together, after this delay.
   */
  operatorDenialsMax: 1_000,
  operatorDenialsMs: 1_000,
  deniedKindsMax: 20,
  /** Half an hour of the console's charts, about 100 KiB as JSON. */
  historySampleMs: 2_000,
  historySamplesMax: 900,
  /**
   * Consoles that follow one worker at once: one per person, and some more for a wall of screens.
   */
  liveClientsMax: 32,
  /**
   * A console gets changes at most this often, a state in transit at least this often, and a
   * heartbeat when nothing changes.
   */
  liveGapMs: 400,
  liveTransitMs: 1_500,
  liveBeatMs: 5_000,
  /** A console that reads nothing for this long is disconnected; it reconnects by itself. */
  liveStuckMs: 15_000,
  /** Expensive counts are made less often, so that they take at most a twentieth of the time. */
  liveCostFactor: 20,
  /** Other workers: how long to wait for answers to a ping, and how many hubs are remembered. */
  fleetPingMs: 1_500,
  fleetHubsMax: 1_000,
  /** Length of the console address that a worker reports; real ones are shorter. */
  consoleUrlCharsMax: 2_000,
  /** How long to wait for one status, and how many are requested at once. */
  fleetStatusMs: 2_000,
  fleetAsksMax: 25,
  /**
   * While somebody watches: how often workers are discovered, and how often one in transit is asked
   * for its status. An answer younger than `fleetFreshMs` is reused.
   */
  fleetEveryMs: 6_000,
  fleetTransitMs: 2_000,
  fleetFreshMs: 1_000,
  /**
   * Searching for the writes of a key: entries searched from the newest back, in steps of a few
   * milliseconds, and entries listed.
   */
  locateScanEntries: 200_000,
  locateStepEntries: 5_000,
  locateEntriesMax: 50,
  /**
   * The event loop is timed so often, and the longest delay is that of the last one to two windows:
   * with a scrape a minute none is missed.
   */
  loopDelayResolutionMs: 10,
  loopDelayWindowMs: 60_000,
  /** Searches that wait for the one that is running; each may take seconds. */
  locateWaitingMax: 16,
} as const;
