/**
 * Every bound of Tidemark in one place (I9): its unit is in the name, its reason in the comment.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /**
   * Whole body of one write after decompression; manifests reach tens of megabytes. Above it:
   * TOO_LARGE.
   */
  bodyBytesMax: 64 * MiB,
  /** Values in a body, members and their names counted: 64 MiB of `[],` would be 20 million. */
  bodyValuesMax: 2_000_000,
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
  /** Chunk transfers held at once; each may hold a body of `bodyBytesMax`. */
  chunkTransfersMax: 8,
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
   * Items of one batch request: one commit and one reply must stay small enough to answer within a
   * second.
   */
  batchItemsMax: 5_000,
  /** Characters of a HubID, RemoteUser and the like. */
  hubIdCharsMax: 64,
  remoteUserCharsMax: 128,
  /**
   * Writes taken into one journal commit: the sync is paid once, and answers do not wait on a
   * longer loop.
   */
  commitWritesMax: 2_000,
  /** Writes waiting for a commit before intake answers OVERLOADED. */
  intakeQueueMax: 20_000,
  /** Undelivered journal entries before intake answers OVERLOADED (about 1 KiB each: 5 GB). */
  pendingEntriesMax: 5_000_000,
  /** Journal file size before intake answers OVERLOADED. */
  journalBytesMax: 16 * 1024 * MiB,
  /**
   * Free room on the disk of the journal below which writes are refused, before SQLite meets a full
   * disk; at most `diskFreeShare` of the disk.
   */
  diskFreeBytesMin: 256 * MiB,
  diskFreeShare: 0.05,
  /**
   * Writes are taken again only with this much more room than the least, so that a disk at the edge
   * does not flap.
   */
  diskAgainFactor: 1.25,
  /**
   * After SQLite met a full disk, writes are refused this long at least: what free room says is not
   * the whole truth then.
   */
  diskFullPauseMs: 2_000,
  /**
   * Room held by the file `reserve`, given up when the disk is full all the same: several times
   * `checkpointBytes`, for the log is folded into the database before settling can go on. At most
   * `reserveShare` of the disk.
   */
  reserveBytes: 32 * MiB,
  reserveShare: 0.25,
  /**
   * The disk, the journal's size and its backlog are looked at this often, never for a single
   * write.
   */
  capacityLookMs: 250,
  /**
   * Fill levels remembered for the time-to-full: one every `capacitySampleMs`, over
   * `capacityWindowMs`; below `capacityWindowMsMin` nothing is foretold.
   */
  capacitySampleMs: 5_000,
  capacityWindowMs: 300_000,
  capacityWindowMsMin: 15_000,
  /**
   * A drill hides a beacon so long at most; it watches what comes in for `drillWatchMs` before, and
   * counts `drillEntryBytes` of rows and indexes beside each body.
   */
  drillSecondsMax: 600,
  drillWatchMs: 1_000,
  drillEntryBytes: 512,
  /** A time-to-full beyond a year says nothing. */
  timeToFullSecondsMax: 31_536_000,
  /**
   * Bytes of writes waiting for a commit before intake answers OVERLOADED, and of one commit: a few
   * of the largest bodies.
   */
  intakeBytesMax: 256 * MiB,
  commitBytesMax: 64 * MiB,
  /**
   * Pages of a drained journal given back to the disk in one step (a few milliseconds), while idle
   * and while more than these bytes are free in the file.
   */
  spaceStepPages: 256,
  spaceKeptBytes: 8 * MiB,
  spaceEveryMs: 1_000,
  /**
   * Moving marks by hand: a delivery that is under way is awaited this long; entries skipped at
   * once (one transaction, below a second).
   */
  moveMarkWaitMs: 4_000,
  moveSkipMax: 100_000,
  /**
   * Its plan: entries read between two turns of the event loop, entries and keys listed, and
   * entries looked up at the database.
   */
  planStepEntries: 5_000,
  planRowsMax: 500,
  planKeysMax: 20,
  planSamples: 16,
  /** Delay told to a sender that was refused for room. */
  overloadedRetryMs: 1_000,
  /** Delay told to a sender when the worker is starting or draining. */
  unavailableRetryMs: 500,
  /**
   * Longest `WaitMs` for a reply with `Wait: "applied"`; longer would outlive the sender's own
   * patience.
   */
  waitAppliedMsMax: 60_000,
  waitAppliedMsDefault: 5_000,
  /**
   * Entries of one delivery: starts at `deliverEntriesMin`, doubles while the beacon answers fast.
   */
  deliverEntriesMin: 64,
  deliverEntriesMax: 4_000,
  /** Entries read and translated between two turns of the event loop: a few milliseconds. */
  deliverStepEntries: 250,
  /** Body bytes of one delivery, so that a batch of manifests stays below a message. */
  deliverBytesMax: 4 * MiB,
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
  /**
   * A beacon silent this long is asked whether it is there: with no responders it is away at once.
   */
  presenceProbeMs: 2_500,
  /** Rows of one list answer, and what is sent when nothing is asked for. */
  listRowsMax: 5_000,
  listRowsDefault: 500,
  /** Reads running at once, and waiting; beyond that UNAVAILABLE. */
  readsMax: 32,
  readsWaitingMax: 2_000,
  /** Base rows fetched to complete buffered ones in one list read. */
  listBaseRowsMax: 5_000,
  /** The JSON files for people are at most this far behind. */
  mirrorDelayMs: 300,
  /**
   * Entries kept after delivery, for reads in an outage and for a backend that went back in time.
   */
  retainedEntriesMax: 1_000_000,
  retainedMs: 24 * 3_600_000,
  /**
   * The state files are looked at this often, and at every commit; so long may a deletion go unseen
   * by a worker that has nothing to do.
   */
  guardLookMs: 1_000,
  /** Looks in a row that could not tell before health says degraded. */
  guardUnknownsMax: 5,
  /**
   * A folder's time of change is trusted so long after it was first seen: file systems keep it in
   * steps of up to 10 ms.
   */
  folderTimeSettlesMs: 50,
  /**
   * The log is folded into the database at so many bytes, rows or commits: it stays in the page
   * cache, a start reads it in a blink, and a log that is begun anew is written over, where one
   * that grows costs each sync nearly twice. Small commits write some 24 KiB of pages each.
   */
  checkpointBytes: 8 * MiB,
  checkpointRows: 10_000,
  checkpointCommits: 350,
  /** A log longer than this is cut when nothing is going on. */
  logBytesIdle: 16 * MiB,
  /**
   * Changes that wait for listeners while the bus is away; beyond that they are told to read
   * everything again. About 10 MB.
   */
  changeLogRowsMax: 100_000,
  /**
   * Rows of the change log told in one event, ids named in one change, and the time in which
   * changes are told together.
   */
  changeEventRows: 500,
  changeIdsMax: 100,
  changeCollectMs: 200,
  /** Files of the incumbent are a few hundred bytes; larger ones are something else. */
  legacyBytesMax: 1 * MiB,
  /** A rejected item is kept up to so many characters. */
  legacyItemCharsMax: 10_000,
  /** Faults shown in health, and kept. */
  faultsShown: 20,
  faultsKept: 1_000,
  /**
   * Failures of the store that fit no class before the process ends: one may be a single bad write,
   * three are not.
   */
  storeStrikesMax: 3,
  /** A bus that stays away is mentioned again in the log after this long. */
  busReminderMs: 60_000,
  /** Delay between two tries to open a store that cannot be opened: first and longest. */
  frozenFirstMs: 500,
  frozenLongestMs: 10_000,
  /**
   * Highest Seq taken from a file: microseconds of the year 2096, so that one bad line cannot use
   * up all numbers.
   */
  seqMax: 4_000_000_000_000_000,
  /** Entries merged in one transaction, and between two turns of the event loop: below 50 ms. */
  mergeStepEntries: 2_000,
  /** Conflicts and damaged entries named in one finding; their number is told in full. */
  findingItemsMax: 20,
  /**
   * State files up to this size are checked through and through at every start (0.4 s), and up to
   * the larger one quickly after an unclean stop (2 s).
   */
  checkedBytesMax: 256 * MiB,
  checkedUncleanBytesMax: 4 * 1024 * MiB,
  /** Rescues kept after they were merged, and folders of files set aside; the oldest go. */
  rescuesMergedMax: 5,
  asideFoldersMax: 10,
  /**
   * A rescue without its note is still being written, unless its process is gone or it is older
   * than this.
   */
  rescueUnfinishedMs: 600_000,
  /**
   * First Seqs of starts kept in store.json, to tell holes from the room between starts when
   * state.db is gone.
   */
  startsRemembered: 100,
  /** Runs of Seqs of an imported file that are remembered; as many starts are. */
  importRunsMax: 500,
  /** A running worker looks this often whether a predecessor ended its rescue only now. */
  rescueLookMs: 5_000,
  /** Entries stripped of their body in one step of retention: a step stays below 50 ms. */
  retentionStepEntries: 2_000,
  /**
   * A backlog longer than this is counted whole only once in this time for the balance; what
   * changed since, each time.
   */
  countWholeEntries: 20_000,
  countWholeMs: 60_000,
  /** Without a commit for this long the worker counts as idle, and makes ready what reads need. */
  projectionIdleMs: 500,
  /** Entries the read projection folds between two turns of the event loop. */
  projectionStepEntries: 500,
  /** Orderly stop: after this the process leaves; what was accepted is on disk. */
  drainMs: 10_000,
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
  /** HTTP request body of the operators' API. */
  httpBodyBytesMax: 1 * MiB,
  /**
   * Connections to it at once: many consoles and scrapers, and no more than a fraction of a
   * process's files.
   */
  httpConnectionsMax: 256,
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
   * Calls refused for their token, from one address: so many at once, then one each
   * `httpFailureMs`.
   */
  httpFailuresMax: 60,
  httpFailureMs: 1_000,
  /** Changing calls from one address, the same way: each is a synced commit or two. */
  httpChangesMax: 200,
  httpChangeMs: 20,
  /** Addresses remembered for that: some 100 kB. */
  httpCallersMax: 1_000,
  /** Tokens of one file: all are compared at each call. */
  httpTokensMax: 1_000,
  /**
   * The lab: hubs remembered, one worker's answer, answers to the ping in all, and workers asked at
   * once.
   */
  labHubsMax: 1_000,
  labAnswerMs: 2_000,
  labPingMs: 1_500,
  labAsksMax: 25,
  /** What operators did, kept and shown at once; the texts of one line. */
  operatorActionsMax: 10_000,
  operatorActionsShownMax: 1_000,
  operatorActionsShown: 100,
  operatorTextCharsMax: 1_000,
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
  /** One-way messages taken from JetStream in one fetch. */
  streamFetchMax: 500,
} as const;
