/**
 * The prose of the contract reference: for each action, code, verb, event and capability, what a
 * schema cannot express. The compiler reports a missing one.
 */
import type { Action } from '../contracts/actions.ts';
import type { RefusalCode } from '../contracts/errors.ts';
import type { ControlVerb } from '../contracts/control-verbs.ts';

/** What a write does at the backend, or what a read answers. */
export const actionTexts: Record<Action, string> = {
  QP_UpsertWorkItem: 'inserts the row, or overwrites the given fields, by WorkItemHash',
  QP_UpdateWorkItem: 'overwrites the given fields; creates the row if there is none',
  QP_AppendEvent: "inserts once by EventGUID: the event's own, else the envelope's",
  QP_InsertAttempt:
    'inserts by WorkItemHash and AttemptNumber; in an existing row it fills only empty fields',
  QP_UpdateAttemptOutcome: 'overwrites the given fields; creates the row if there is none',
  QP_GetWorkItemByHash: 'answers `WorkItem`, or null if there is none',
  QP_ListWorkItems: 'answers `WorkItems`, and `Next` while there are more',
  QP_GetEvents: 'answers `Events`, oldest first (EmittedAt, Seq, then arrival)',
  MS_UpsertManifest: 'inserts or overwrites by Hash; the whole manifest is kept in ManifestJSON',
  MS_RemoveManifest:
    'soft-deletes; a missing row is a success, and a later upsert restores a deleted one',
  MS_GetManifest:
    'answers `Manifest` as it was sent and `Row` as it is stored; both are null if there is none',
  MS_ListManifests: 'answers `Manifests`, rows without ManifestJSON unless `Filter.Full`',
};

/** What the fields of an answer do not show. */
export const replyTexts = {
  write:
    'Sent only after the commit to the journal is synced to disk. A repeat of an accepted EventGUID gets the Seq of ' +
    'the first, with `Duplicate: true`. With `Wait: "applied"` the answer comes once the backend has the write.',
  read:
    'Accepted writes that are not delivered yet are merged into the rows of the backend. `Source` says where the ' +
    'answer is from. `Partial` means that only the journal answered and no longer has older writes. A missing row ' +
    'is a success with null.',
  refusal: 'The headers `Nats-Service-Error` and `Nats-Service-Error-Code` carry the same.',
};

/** When a code is answered, and what the sender should do. */
export const refusalTexts: Record<RefusalCode, { when: string; what: string }> = {
  INVALID_MESSAGE: {
    when: 'the request cannot be decoded, or its action is unknown, or a field is wrong; `Reason` names its path',
    what: 'correct the request; the same one will be refused again',
  },
  FORBIDDEN: {
    when: 'it is not the caller’s to ask: the lane or rows of another hub, or an action that is off',
    what: 'ask the operator',
  },
  NOT_FOUND: {
    when: 'a control verb or a capability names something that does not exist',
    what: 'check the name',
  },
  CONFLICT: {
    when: 'the EventGUID is known with other content (Action and Settings, compared as decoded)',
    what: 'a bug in the sender: a new write needs a new EventGUID',
  },
  STALE_OWNER: {
    when:
      'a databeacon is sent a batch of an earlier Term than the mark row’s, or of the same Term ' +
      'and another store; a worker answers UNAVAILABLE instead and ends',
    what: 'the store that sent it no longer owns the hub: see `--take-over`',
  },
  EXPIRED: {
    when:
      'a version 7 EventGUID that is not known, and whose time is at or below what was forgotten ' +
      '(one-way, and from a file: kept as a dead letter)',
    what: 'look whether it was written; a new write needs a new EventGUID',
  },
  TOO_LARGE: {
    when: 'the body, or an answer that cannot be fetched in pieces, exceeds its bound',
    what: 'send less, or ask for fewer rows',
  },
  OVERLOADED: {
    when: 'the journal, its disk or a queue is at its bound; nothing was stored',
    what: 'send again after `RetryAfterMs`, with the same EventGUID',
  },
  INTERNAL: {
    when: 'a bug in Tidemark; nothing was stored',
    what: 'report it; sending again is safe',
  },
  UNAVAILABLE: {
    when: 'the worker is starting or draining, or the journal cannot answer a read while the backend is away',
    what: 'send again, with the same EventGUID',
  },
  STORAGE_FAILED: {
    when: 'the local store failed and the worker is about to restart; whether the write was stored is unknown',
    what: 'send again, with the same EventGUID',
  },
};

/** Body and answer of each control verb. */
export const verbTexts: Record<ControlVerb, { body: string; answer: string; what: string }> = {
  status: { body: '`{}`', answer: '`WorkerStatus`', what: 'state, lag, balance, room' },
  assign: {
    body: '`{BeaconID, IDBeaconConnection}`; `BeaconID` null removes the assignment',
    answer: '`{Success, Queue, Manifest}`, each a `LaneStatus`',
    what: 'delivers both lanes to this database from now on',
  },
  clear: {
    body: '`{}`',
    answer: '`{Success, Queue, Manifest}`',
    what: 'removes the assignment; the beacon with the tag `PersistenceConnectionID` is used again, if there is one',
  },
  hwm: {
    body: '`{}`, `{plan: MarkTarget}` or `{set: SetMarks}`',
    answer: '`MarksFile`, `MarkPlan` or `MarksSet`',
    what: 'shows the marks, plans moving them, or moves them',
  },
  locate: { body: '`{EventGUID}`', answer: '`Location`', what: 'where a write is' },
  'dead-letters': {
    body:
      '`{Verb?: "list", After?, Limit?}`, `{Verb: "show" \\| "retry" \\| "drop", Seq}`; ' +
      'one-way messages by `ID` instead of `Seq`',
    answer: '`{DeadLetters}`, `{DeadLetter}` or `{Success}`',
    what: 'writes the backend refused for good, and one-way messages that can never be accepted',
  },
  journal: {
    body: '`{}`',
    answer: '`{Entries, Pending, Bytes, Head, Accepted, Balance}`',
    what: 'the counts of the journal',
  },
  pause: {
    body: '`{}`',
    answer: '`{Success}`',
    what: 'stops delivery until `resume`, also across restarts; writes are still accepted',
  },
  resume: { body: '`{}`', answer: '`{Success}`', what: 'continues delivery' },
  drain: { body: '`{}`', answer: '`{Success}`', what: 'stops the worker in order' },
  ops: {
    body: '`{Verb?: "status" \\| "history" \\| "run" \\| "progress" \\| "skip", ...}`',
    answer: 'depends on the verb',
    what: 'maintenance operations ([OPERATIONS.md](OPERATIONS.md))',
  },
  'operator-log': {
    body: '`{Limit?, Before?}`',
    answer: '`{Actions, Next}`, newest first',
    what: 'what operators changed or tried to change',
  },
  drill: {
    body: '`{}`, `{BeaconID, Seconds, Force?}` or `{Stop: true}`',
    answer: '`DrillReply`',
    what: 'makes the worker treat a beacon as away for a while',
  },
};

export const eventTexts: Record<
  'state' | 'store-changed' | 'fault' | 'pressure' | 'legacy',
  { body: string; when: string }
> = {
  state: {
    body: '`{At, State, Queue, Manifest}`',
    when: 'the state, database, carrier or error of a lane changed, or delivery was paused',
  },
  'store-changed': {
    body: '`{cursor, From, changes: [{table, op, ids, Count}], Store, Resync?}`',
    when: 'after a commit; `Resync` means that more changed than could be kept, so read everything again',
  },
  fault: { body: '`{At, Class, What}`', when: 'something happened that an operator must know' },
  pressure: {
    body: '`{At, Reason, Capacity}`',
    when: 'writes are refused for lack of room; with `Reason` null they are accepted again',
  },
  legacy: {
    body: '`{Source, Status, Reason?, ...}`',
    when: 'a file of the incumbent was imported, or could not be',
  },
};

/** What each capability is for; its types are printed from the code. */
export const capabilityTexts: Record<string, { what: string; types: readonly string[] }> = {
  DataBeaconBatch: {
    what: "A worker's fast path: row mutations in one database transaction together with the hub's mark row.",
    types: [
      'ApplySettings',
      'ApplyOutputs',
      'MarkSettings',
      'MarkOutputs',
      'StoredMark',
      'RowMutation',
      'MutationResult',
    ],
  },
  MeadowProxy: {
    what:
      'The table endpoints as one request each, behind an allowlist of paths. Any HTTP ' +
      'status is a successful request.',
    types: ['ProxySettings', 'ProxyOutputs'],
  },
  DataBeaconSchema: {
    what: 'Creates tables from a descriptor; it only ever adds.',
    types: ['EnsureSchemaSettings', 'EnsureSchemaOutputs', 'IntrospectSchemaOutputs'],
  },
  DataBeaconManagement: {
    what: 'Connections, endpoints, and what the proxy allows.',
    types: [
      'IntrospectOutputs',
      'ColumnFacts',
      'EnableEndpointSettings',
      'EnableEndpointOutputs',
      'UpdateProxyConfigSettings',
      'UpdateProxyConfigOutputs',
    ],
  },
  DataBeaconAccess: { what: 'Reading, for people and tools; it never writes.', types: [] },
};
