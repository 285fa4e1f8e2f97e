/**
 * What the contract reference says in words: for each action, code, verb, event and capability what
 * no schema can. One text each, or the compiler complains.
 */
import type { Action } from '../contracts/actions.ts';
import type { RefusalCode } from '../contracts/errors.ts';
import type { ControlVerb } from '../contracts/control-verbs.ts';

/** What a write does at the backend, what a read answers. */
export const actionTexts: Record<Action, string> = {
  QP_UpsertWorkItem: 'inserts, or overwrites the given fields, by WorkItemHash',
  QP_UpdateWorkItem: 'overwrites the given fields; makes the row where there is none',
  QP_AppendEvent: "inserts once by EventGUID: the event's own, else that of the envelope",
  QP_InsertAttempt:
    'inserts by WorkItemHash and AttemptNumber; of a row that is there it fills only the fields that are empty',
  QP_UpdateAttemptOutcome: 'overwrites the given fields; makes the row where there is none',
  QP_GetWorkItemByHash: 'answers `WorkItem`, or null',
  QP_ListWorkItems: 'answers `WorkItems`, and `Next` while there are more',
  QP_GetEvents: 'answers `Events`, oldest first (EmittedAt, Seq, then arrival)',
  MS_UpsertManifest: 'inserts, or overwrites, by Hash; the whole manifest is kept in ManifestJSON',
  MS_RemoveManifest:
    'deletes softly; one that is not there is a success, and a later upsert brings it back',
  MS_GetManifest:
    'answers `Manifest` as it was sent, and `Row` as it is stored; both null where there is none',
  MS_ListManifests: 'answers `Manifests`, rows without ManifestJSON unless `Filter.Full`',
};

/** When a code is answered, and what the sender does. */
export const refusalTexts: Record<RefusalCode, { when: string; what: string }> = {
  INVALID_MESSAGE: {
    when: 'it cannot be decoded, the action is unknown, a field is missing or wrong; `Reason` names its path',
    what: 'mend the request; the same again is refused again',
  },
  NOT_FOUND: {
    when: 'a verb of control or a capability names what is not there',
    what: 'look for it first',
  },
  CONFLICT: {
    when: 'the EventGUID is known with other content (Action and Settings as decoded)',
    what: 'a mistake in the sender: a new write needs a new EventGUID',
  },
  TOO_LARGE: {
    when: 'the body, or an answer that cannot be fetched in pieces, is over its bound',
    what: 'send less, ask for fewer rows',
  },
  OVERLOADED: {
    when: 'the journal, its disk or a queue is at its bound; nothing was stored',
    what: 'send again after `RetryAfterMs`, with the same EventGUID',
  },
  INTERNAL: {
    when: 'a mistake in Tidemark; nothing was stored',
    what: 'report it; sending again is safe',
  },
  UNAVAILABLE: {
    when: 'starting, draining, or a read that the journal cannot answer while the backend is away',
    what: 'send again, with the same EventGUID',
  },
  STORAGE_FAILED: {
    when: 'the local store failed, and the worker is about to start again; nobody knows whether the write was stored',
    what: 'send again, with the same EventGUID',
  },
};

/** Body and answer of each verb of control. */
export const verbTexts: Record<ControlVerb, { body: string; answer: string; what: string }> = {
  status: { body: '`{}`', answer: '`WorkerStatus`', what: 'state, lag, balance, room' },
  assign: {
    body: '`{BeaconID, IDBeaconConnection}`; `BeaconID` null takes it back',
    answer: '`{Success, Queue, Manifest}`, a `LaneStatus` each',
    what: 'sends both lanes to a database from now on',
  },
  clear: {
    body: '`{}`',
    answer: '`{Success, Queue, Manifest}`',
    what: 'takes the assignment back; a beacon with the tag `PersistenceConnectionID` is followed again',
  },
  hwm: {
    body: '`{}`, `{plan: MarkTarget}` or `{set: SetMarks}`',
    answer: '`MarksFile`, `MarkPlan` or `MarksSet`',
    what: 'the marks, a plan of moving them, the moving',
  },
  locate: { body: '`{EventGUID}`', answer: '`Location`', what: 'where a write is' },
  'dead-letters': {
    body:
      '`{Verb?: "list", After?, Limit?}`, `{Verb: "show" \\| "retry" \\| "drop", Seq}`; ' +
      'one-way messages by `ID` in place of `Seq`',
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
    what: 'holds delivery, over restarts too; accepting goes on',
  },
  resume: { body: '`{}`', answer: '`{Success}`', what: 'delivers again' },
  drain: { body: '`{}`', answer: '`{Success}`', what: 'ends the worker in order' },
  ops: {
    body: '`{Verb?: "status" \\| "history" \\| "run" \\| "progress" \\| "skip", ...}`',
    answer: 'by verb',
    what: 'maintenance operations ([OPERATIONS.md](OPERATIONS.md))',
  },
  'operator-log': {
    body: '`{Limit?, Before?}`',
    answer: '`{Actions, Next}`, newest first',
    what: 'what operators changed or tried to',
  },
  drill: {
    body: '`{}`, `{BeaconID, Seconds, Force?}` or `{Stop: true}`',
    answer: '`DrillReply`',
    what: 'lets a beacon count as away for a while',
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
    body: '`{cursor, From, changes: [{table, op, ids, count}], Store, Resync?}`',
    when: 'behind a commit; with `Resync` there was more than could be kept, and everything is to be read again',
  },
  fault: { body: '`{At, Class, What}`', when: 'something an operator must hear of' },
  pressure: {
    body: '`{At, Reason, Capacity}`',
    when: 'writes begin to be refused for room, and with `Reason` null are taken again',
  },
  legacy: {
    body: '`{Source, Status, Reason?, ...}`',
    when: 'a file of the incumbent was taken in, or could not be',
  },
};

/** What each capability is for; its types are printed from the code. */
export const capabilityTexts: Record<string, { what: string; types: readonly string[] }> = {
  DataBeaconBatch: {
    what: "The fast path of a worker: row mutations in one database transaction with the hub's mark row.",
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
    what: 'Tables from a descriptor; only ever adds.',
    types: ['EnsureSchemaSettings', 'EnsureSchemaOutputs', 'IntrospectSchemaOutputs'],
  },
  DataBeaconManagement: {
    what: 'Connections, endpoints, and what the proxy lets through.',
    types: [
      'IntrospectOutputs',
      'ColumnFacts',
      'EnableEndpointSettings',
      'EnableEndpointOutputs',
      'UpdateProxyConfigSettings',
      'UpdateProxyConfigOutputs',
    ],
  },
  DataBeaconAccess: { what: 'Reading, for people and tools; nothing of it writes.', types: [] },
};
