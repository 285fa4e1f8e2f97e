/** Answers of the operators' HTTP as JSON Schema, for the OpenAPI document. */
import { type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { refusalStatus } from '../../contracts/errors.ts';

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
  Dedup: Type.Object({ ForMs: count, Entries: count, Known: count }),
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

/** Schemas of the answers. Objects may have more members than are named here. */
export const answered = {
  refusal: named('Refusal', {
    Success: Type.Literal(false),
    Code: Type.Union(
      [...Object.keys(refusalStatus), 'UNAUTHORIZED'].map((code) => Type.Literal(code)),
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
