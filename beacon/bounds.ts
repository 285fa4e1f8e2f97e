/**
 * Bounds that only the databeacon has; the unit is in the name, the reason in the comment. The
 * others are in `contracts/limits.ts`.
 */
import { limits } from '../contracts/limits.ts';

const MiB = 1024 * 1024;

export const bounds = {
  /**
   * How long SQLite waits for another process's lock: the event loop stands still meanwhile, and
   * presence must not be missed thrice.
   */
  busyMs: 2_000,
  /** Mutations of one Apply: one transaction must stay within a second or two. */
  mutationsMax: 20_000,
  /**
   * Applies of one connection that run at once, each for another hub or lane; those that run or
   * wait, for one hub and lane (a worker sends one at a time) and for all. Beyond it OVERLOADED.
   */
  appliesMax: 6,
  laneAppliesWaitingMax: 32,
  appliesWaitingMax: 256,
  /** Delay told to a worker whose request met a busy or broken database. */
  databaseRetryMs: 500,
  /** Characters of a Reason that is stored or answered; a driver can quote a whole value. */
  reasonCharsMax: 500,
  /** Prepared statements kept per open file; a hub's traffic needs fewer than a hundred. */
  statementsMax: 400,
  /** Rows of an endpoint's page when nothing is asked for, and at most. */
  pageRowsDefault: 250,
  pageRowsMax: 10_000,
  /** Text of the rows of one answer; a page of manifests could be anything. */
  answerBytesMax: limits.bodyBytesMax,
  /** Rows of one POST or PUT of an array: one transaction. */
  arrayRowsMax: 10_000,
  /**
   * Stanzas of a filter, nested brackets, values in all, and days of one list: SQLite takes 32 766
   * parameters and a depth of 1 000.
   */
  filterStanzasMax: 500,
  filterDepthMax: 50,
  filterValuesMax: 5_000,
  filterDaysMax: 100,
  /** Characters of a request path; filters with long lists live in it. */
  pathCharsMax: 256 * 1024,
  /** Headers of an HTTP request beside its path. */
  httpHeaderBytes: 16 * 1024,
  /** Path patterns of the proxy, and characters of one: anybody on the mesh may add some. */
  patternsMax: 100,
  patternCharsMax: 200,
  /**
   * What of a pattern may be repeated or chosen, the steps it may come to, and the head of a path
   * it is tried on: all patterns together take some 40 ms at the very worst.
   */
  patternRepeatsMax: 3,
  patternChoicesMax: 4,
  patternStepsMax: 160,
  patternHeadChars: 220,
  /**
   * Lines the audit keeps (about 50 MB), and for how long; surplus ones go some at a time, looked
   * for this often.
   */
  auditRowsMax: 250_000,
  auditKeptMs: 90 * 24 * 3_600_000,
  auditTrimRows: 5_000,
  auditTrimMs: 60_000,
  /**
   * Lines are written together, at the latest after this; so many wait in memory at most when the
   * disk refuses them.
   */
  auditFlushMs: 500,
  auditLinesMax: 5_000,
  /**
   * Connections made by request are numbered from here, so that the n-th database URL can always be
   * connection n.
   */
  createdConnectionsFrom: 1_001,
  connectionsMax: 100,
  /** Characters of a database URL that came over the bus; names and secrets are short. */
  databaseUrlCharsMax: 2_000,
  /**
   * SQL that somebody else wrote: its characters, rows when nothing is asked for and at most, its
   * time, and how many run at once on a connection.
   */
  queryCharsMax: 100_000,
  queryRowsDefault: 1_000,
  queryRowsMax: 10_000,
  queryMs: 10_000,
  /** A query is ended before its caller gives up waiting. */
  queryShare: 0.9,
  queriesMax: 4,
  /**
   * Memory of the process that runs one on SQLite, which itself knows no bound: a single function
   * can make a text of 1 GB. Looked at this often.
   */
  queryMemoryBytesMax: 512 * MiB,
  queryLookMs: 10,
  /** Rows ReadRecords and Join give when nothing is asked for. */
  readRecordsDefault: 100,
  joinRowsDefault: 500,
  /** Tables, columns and indexes of one descriptor. */
  tablesMax: 500,
  columnsMax: 1_000,
  /** Size from which an answer of the audit's detail is cut. */
  auditDetailCharsMax: 200,
  /** Connections to one server database: Apply uses at most `appliesMax`, endpoints the others. */
  poolMax: 12,
  /**
   * How long a statement of a server database may run: the worker gives an answer up after
   * `limits.capabilityMs`.
   */
  statementMs: 12_000,
  /**
   * How long a statement waits for somebody else's lock; twice within `statementMs`, and the caller
   * hears of it before it gives up.
   */
  lockMs: 5_000,
  /** The same for a migration, within `limits.bootstrapStepMs`. */
  migrationMs: 55_000,
  /**
   * How long a fronted server may look at its tables (HTTP waits for no head beyond five minutes),
   * and how long an answer that nobody waited for is kept.
   */
  lookMs: 290_000,
  lookKeptMs: 60_000,
  /**
   * How long presence waits to hear whether a server database is there; it is told every two
   * seconds.
   */
  checkMs: 1_500,
  /**
   * The server ends what takes too long; a server that does not even do that is given up this much
   * later.
   */
  answerSlackMs: 1_000,
  /**
   * How long closing a pool is waited for; a connection that hangs must not hold up the end of the
   * process.
   */
  poolCloseMs: 1_000,
  /** A transaction that met a deadlock is done again so often, that far apart. */
  deadlockTries: 6,
  deadlockBackoff: { firstMs: 10, longestMs: 250 },
  /**
   * Rows of one statement over many, and the text in them: servers bound a message (MariaDB: 16 MiB
   * unless told otherwise).
   */
  setRowsMax: 1_000,
  statementChars: 2 * MiB,
  /**
   * A databeacon of the same name that is just ending is gone within this time, and looked for this
   * often; all that are there answer within `infoMs`.
   */
  predecessorMs: 3_000,
  predecessorLookMs: 250,
  infoMs: 1_000,
  infoAnswersMax: 1_000,
  /** Nonces of its own a databeacon knows again; a fronted server has a new one at each start. */
  noncesMax: 16,
  /** Page cache of one open database. */
  cacheBytes: 32 * MiB,
} as const;
