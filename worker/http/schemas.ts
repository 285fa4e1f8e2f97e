/**
 * Bodies, parameters and answers of the operators' HTTP as JSON Schema: what is asked is checked by
 * them, and the OpenAPI document is made of them.
 */
import { type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { bareVerbs } from '../../contracts/control-verbs.ts';
import { refusalStatus } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';

const tokenText = '1 to 64 of A-Z a-z 0-9 _ -';
const token = { pattern: '^[A-Za-z0-9_-]{1,64}$', description: tokenText };
const guidPattern = '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
const beaconOrNone = Type.Union([Type.String(token), Type.Literal(''), Type.Null()], {
  description: `a BeaconID, ${tokenText}; null takes the assignment back`,
});
const connectionNumber = Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
  description: 'an integer from 1; 0 for a legacy beacon, or none',
});
/** A number in a path or a query is text. */
const digits = (description: string) => Type.String({ pattern: '^[0-9]{1,16}$', description });

/** A dead letter: of a write its Seq, of a one-way message that was never accepted its number. */
const deadLetterName = Type.String({
  pattern: '^(?:id-)?[0-9]{1,16}$',
  description:
    'the Seq of a dead letter, an integer; or id- and the number of a refused one-way message',
});

/** What a call carries. */
export const given = {
  assign: Type.Object(
    {
      BeaconID: beaconOrNone,
      IDBeaconConnection: Type.Optional(connectionNumber),
      NotAfter: Type.Optional(
        Type.String({
          maxLength: 40,
          description: 'a time as 2026-01-31T12:00:00Z; later than that it is refused',
        }),
      ),
    },
    { description: 'an object with BeaconID and IDBeaconConnection' },
  ),
  labAssign: Type.Object(
    {
      IDBeacon: Type.Union([Type.String(token), Type.Literal(''), Type.Literal(0), Type.Null()], {
        description: `a BeaconID, ${tokenText}; null takes the assignment back`,
      }),
      IDBeaconConnection: Type.Optional(connectionNumber),
    },
    { description: 'an object with IDBeacon and IDBeaconConnection' },
  ),
  id: Type.Object({ id: Type.String(token) }),
  seq: Type.Object({ seq: deadLetterName }),
  seqVerb: Type.Object({
    seq: deadLetterName,
    verb: Type.Union([Type.Literal('retry'), Type.Literal('drop')], {
      description: 'retry or drop',
    }),
  }),
  verb: Type.Object({
    verb: Type.Union(
      bareVerbs.map((one) => Type.Literal(one)),
      { description: 'pause, resume, drain or clear' },
    ),
  }),
  deadLetterPage: Type.Object({
    after: Type.Optional(
      Type.String({ pattern: '^(?:id-)?[0-9]{1,16}$', description: 'the Next of the page before' }),
    ),
    limit: Type.Optional(digits(`an integer from 1 to ${limits.listRowsMax}`)),
  }),
  key: Type.Object({
    key: Type.String({ minLength: 1, description: 'a WorkItemHash or RunHash' }),
    lane: Type.Optional(
      Type.Union([Type.Literal('queue'), Type.Literal('manifest')], {
        description: 'queue or manifest',
      }),
    ),
  }),
  watch: Type.Object({
    watch: Type.Optional(Type.Literal('fleet', { description: 'fleet, or nothing' })),
  }),
  file: Type.Object({ file: Type.String({ description: 'a file of the page' }) }),
  guid: Type.Object({
    guid: Type.String({ pattern: guidPattern, description: 'the EventGUID of a write, a UUID' }),
  }),
  page: Type.Object({
    limit: Type.Optional(digits(`lines, from 1 to ${limits.operatorActionsShownMax}`)),
    before: Type.Optional(digits('only lines before the one of this ID')),
  }),
} as const;

const named = (name: string, properties: TProperties) => Type.Object(properties, { $id: name });
const orNull = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const text = Type.String();
const count = Type.Integer({ minimum: 0 });
const time = Type.String({ format: 'date-time' });
const yes = Type.Literal(true);
const stateOf = Type.Union(
  ['unassigned', 'waiting-for-beacon', 'bootstrapping', 'bootstrapped', 'error'].map((one) =>
    Type.Literal(one),
  ),
  { $id: 'State' },
);

const laneStatus = named('LaneStatus', {
  State: stateOf,
  AssignedBeaconID: orNull(text),
  IDBeaconConnection: count,
  LastError: orNull(text),
  BootstrappedAt: orNull(time),
  AssignedAt: orNull(time),
  AssignedBy: orNull(Type.Union([Type.Literal('operator'), Type.Literal('tag')])),
  Seq: Type.Object({ Head: count, Mark: count }),
  Pending: count,
  OldestPendingMs: Type.Number({ minimum: 0 }),
  DeadLetters: count,
  Carrier: orNull(Type.Union(['batch', 'meadow-proxy', 'legacy'].map((one) => Type.Literal(one)))),
  IsPaused: Type.Boolean(),
});
const balance = named('Balance', {
  Accepted: count,
  Applied: count,
  AlreadyPresent: count,
  Pending: count,
  DeadLettered: count,
  Skipped: count,
  Difference: Type.Integer({ description: '0, or a bug' }),
});
const perLane = (schema: TSchema) => Type.Object({ queue: schema, manifest: schema });
const lanes = { Queue: laneStatus, Manifest: laneStatus };
const connection = named('Connection', {
  IDBeaconConnection: count,
  Name: text,
  Engine: text,
  Connected: Type.Boolean(),
  StoreID: text,
});
const beaconFacts = {
  BeaconID: text,
  Status: Type.Union(['Online', 'Busy', 'Draining'].map((one) => Type.Literal(one))),
  Nonce: text,
  Capabilities: Type.Array(text),
  Tags: Type.Record(text, text),
};
const marks = Type.Record(
  text,
  Type.Record(
    text,
    named('Mark', {
      Seq: count,
      EventGUID: orNull(text),
      RecordedAt: orNull(time),
      AppliedAt: orNull(time),
      Pending: count,
    }),
  ),
  { description: 'by BeaconID, then by IDBeaconConnection' },
);
const deadLetter = named('DeadLetter', {
  Seq: orNull(count),
  Lane: text,
  Action: text,
  Key: text,
  EventGUID: orNull(text),
  Reason: text,
  At: time,
  Parked: count,
  ID: Type.Optional(Type.Integer({ description: 'of a one-way message that was never accepted' })),
});
const instance = named('Instance', {
  ID: Type.String({ description: 'the HubID' }),
  Name: text,
  Status: Type.Union(['running', 'stopped', 'unresponsive'].map((one) => Type.Literal(one))),
  Version: orNull(text),
  StartedAt: orNull(time),
  SeenAt: time,
  IDPersistenceBeacon: Type.Union([text, Type.Literal(0)]),
  IDPersistenceConnection: count,
});
const persistence = named('Persistence', {
  IDPersistenceBeacon: Type.Union([text, Type.Literal(0)], { description: 'a BeaconID, or 0' }),
  IDPersistenceConnection: count,
  BeaconRecord: orNull(Type.Object(beaconFacts)),
  ConnectionRecord: orNull(connection),
  Queue: orNull(laneStatus),
  Manifest: orNull(laneStatus),
  State: stateOf,
  LastError: orNull(text),
  BootstrappedAt: orNull(time),
});
const operatorAction = named('OperatorAction', {
  ID: count,
  At: time,
  Who: text,
  Via: Type.Union(['http', 'bus', 'cli'].map((one) => Type.Literal(one))),
  Action: text,
  Detail: orNull(text),
  Outcome: Type.Union(['done', 'refused', 'denied', 'failed'].map((one) => Type.Literal(one))),
  Reason: orNull(text),
});

const workerStatus = named('WorkerStatus', {
  HubID: text,
  State: stateOf,
  ...lanes,
  Balance: perLane(balance),
  Store: text,
  Epoch: text,
  Bus: Type.Object({ Connected: Type.Boolean(), Server: orNull(text), Reconnects: count }),
  Capacity: Type.Object({}),
  Version: text,
  StartedAt: time,
});
const location = named('Location', {
  EventGUID: text,
  State: Type.Union(
    ['accepted', 'buffered', 'applied', 'duplicate', 'conflict', 'dead-lettered', 'unknown'].map(
      (one) => Type.Literal(one),
    ),
  ),
  Seq: Type.Optional(count),
  Lane: Type.Optional(text),
  Action: Type.Optional(text),
  Key: Type.Optional(text),
  AcceptedAt: Type.Optional(time),
  AppliedAt: Type.Optional(time),
  Reason: Type.Optional(text),
});
const columns = Type.Array(count);
const laneColumns = named('LaneColumns', { Accepted: columns, Settled: columns, Pending: columns });

/** What is answered. Objects may have more members than are named here. */
export const answered = {
  refusal: named('Refusal', {
    Success: Type.Literal(false),
    Code: Type.Union(
      [...Object.keys(refusalStatus), 'UNAUTHORIZED', 'FORBIDDEN'].map((code) =>
        Type.Literal(code),
      ),
    ),
    Reason: text,
    Available: Type.Optional(Type.Boolean()),
    RetryAfterMs: Type.Optional(Type.Number()),
  }),
  status: workerStatus,
  lanes: Type.Object(lanes),
  assigned: named('Assigned', { Success: yes, ...lanes }),
  health: Type.Object({
    Pid: count,
    At: time,
    Ready: Type.Boolean(),
    Reason: orNull(text),
    Db: Type.Object({
      Status: Type.Union(['ok', 'degraded', 'fault'].map((one) => Type.Literal(one))),
    }),
  }),
  hwm: named('Marks', {
    Version: Type.Literal(2),
    Store: text,
    WrittenAt: time,
    Queue: marks,
    Manifest: marks,
  }),
  beacons: Type.Object({
    Beacons: Type.Array(named('Beacon', { ...beaconFacts, Connections: Type.Array(connection) })),
  }),
  connections: Type.Object({ Connections: Type.Array(connection) }),
  ops: Type.Object({
    Pending: count,
    Operations: Type.Array(Type.Object({ ID: text, State: text })),
  }),
  journal: Type.Object({
    Entries: count,
    Pending: count,
    Bytes: count,
    Head: perLane(count),
    Accepted: perLane(count),
    Balance: perLane(balance),
  }),
  deadLetters: Type.Object(
    {
      DeadLetters: Type.Array(deadLetter),
      Next: Type.Optional(orNull(text)),
      Total: Type.Optional(count),
    },
    { description: 'Next and Total where a page was asked for' },
  ),
  deadLetter: Type.Object({ DeadLetter: Type.Object({ Settings: Type.Unknown() }) }),
  success: Type.Object({ Success: Type.Boolean() }),
  location,
  keyLocations: Type.Object({
    Key: text,
    Entries: Type.Array(location),
    Scanned: count,
    IsComplete: Type.Boolean(),
  }),
  fleet: Type.Object({
    Workers: Type.Array(
      named('FleetRow', {
        HubID: text,
        IsSelf: Type.Boolean(),
        IsAway: Type.Boolean(),
        SeenAt: time,
        Instances: count,
        Version: text,
        Console: orNull(text),
        Status: orNull(workerStatus),
        Reason: orNull(text),
      }),
    ),
  }),
  history: Type.Object({
    SampleMs: count,
    At: Type.Array(count),
    Queue: laneColumns,
    Manifest: laneColumns,
  }),
  operatorLog: Type.Object({ Actions: Type.Array(operatorAction), Next: orNull(count) }),
  instances: Type.Object({ Instances: Type.Array(instance) }),
  instance: Type.Object({ Instance: instance, Persistence: persistence }),
  persistence: Type.Object({ Persistence: persistence }),
  openapi: Type.Object({ openapi: text, paths: Type.Object({}) }),
} as const;
