/** Generators for property tests: envelopes as hubs send them, and rubbish of every kind. */
import fc from 'fast-check';
import type { WriteAction } from '../../contracts/actions.ts';

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => text.length <= 32 && text.isWellFormed() && !text.includes('\u0000'));

/** JSON values without what no database text can hold. */
export const jsonValue: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 4 });

const text = fc.oneof(
  name,
  fc.constant(''),
  fc.constant(null),
  fc.integer({ min: 0, max: 2 ** 42 }),
);
const workItem = fc.record(
  {
    WorkItemHash: name,
    Status: fc.oneof(fc.constantFrom('Pending', 'Running', 'Complete'), fc.constant(null)),
    Settings: fc.oneof(jsonValue, fc.string()),
    Priority: fc.oneof(fc.integer(), fc.constant(null)),
    CancelRequested: fc.boolean(),
    RetryAfter: text,
    Result: jsonValue,
    Health: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null)),
  },
  { requiredKeys: ['WorkItemHash'] },
);

const settings: Record<WriteAction, fc.Arbitrary<object>> = {
  QP_UpsertWorkItem: fc.record({ WorkItem: workItem }),
  QP_UpdateWorkItem: fc.record({
    WorkItemHash: name,
    Patch: fc.record({ Status: name, Extraordinary: jsonValue }, { requiredKeys: [] }),
  }),
  QP_AppendEvent: fc.record({
    Event: fc.record(
      { WorkItemHash: name, EventType: name, Payload: jsonValue },
      { requiredKeys: ['WorkItemHash'] },
    ),
  }),
  QP_InsertAttempt: fc.record({
    Attempt: fc.record(
      { WorkItemHash: name, AttemptNumber: fc.integer({ min: 0, max: 9 }), BeaconID: text },
      { requiredKeys: ['WorkItemHash', 'AttemptNumber'] },
    ),
  }),
  QP_UpdateAttemptOutcome: fc.record({
    WorkItemHash: name,
    AttemptNumber: fc.integer({ min: 0, max: 9 }),
    Patch: fc.record({ Outcome: name, DurationMs: fc.integer() }),
  }),
  MS_UpsertManifest: fc.record({
    Manifest: fc.record(
      { Hash: name, Status: name, Output: jsonValue },
      { requiredKeys: ['Hash'] },
    ),
  }),
  MS_RemoveManifest: fc.record({ RunHash: name }),
};

/** A write that must be accepted. */
export const goodWrite: fc.Arbitrary<{
  action: WriteAction;
  body: { EventGUID: string; Settings: object; RemoteUser?: string };
}> = fc.constantFrom(...(Object.keys(settings) as WriteAction[])).chain((action) =>
  fc.record({
    action: fc.constant(action),
    body: fc.record(
      {
        EventGUID: fc.uuid(),
        Settings: settings[action],
        RemoteUser: fc.string({ minLength: 1, maxLength: 20 }),
      },
      { requiredKeys: ['EventGUID', 'Settings'] },
    ),
  }),
);

/** Names of actions, and names that are almost one. */
export const actionName: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...Object.keys(settings),
    'QP_GetWorkItemByHash',
    'QP_ListWorkItems',
    'QP_GetEvents',
    'MS_GetManifest',
    'MS_ListManifests',
  ),
  fc.constantFrom('QP_', 'batch', 'constructor', '__proto__', 'toString', 'QP_upsertworkitem', ''),
  fc.string({ maxLength: 12 }),
);

const strange = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
  }),
  fc.constantFrom<unknown>(
    null,
    undefined,
    Number.NaN,
    Infinity,
    -0,
    2 ** 53,
    2n ** 80n,
    'x\u0000y',
    '\ud800',
    'y'.repeat(200),
    new Date(Number.NaN),
    new Uint8Array(3),
  ),
);

const fields = [
  'WorkItem',
  'WorkItemHash',
  'Patch',
  'Event',
  'Attempt',
  'AttemptNumber',
  'Manifest',
  'RunHash',
  'Filter',
  'Limit',
];
const strangeRow = fc.dictionary(
  fc.constantFrom(
    'WorkItemHash',
    'Hash',
    'Status',
    'Priority',
    'AttemptNumber',
    'Limit',
    'Settings',
    'EventGUID',
  ),
  strange,
  { maxKeys: 5 },
);

/** Bodies no hub would send: any value, or an envelope with wrong things in the right places. */
export const rubbish: fc.Arbitrary<unknown> = fc.oneof(
  strange,
  fc.record({
    EventGUID: fc.oneof(fc.uuid(), strange),
    At: fc.oneof(fc.constant(undefined), strange),
    Wait: fc.oneof(fc.constant(undefined), strange),
    RemoteUser: fc.oneof(fc.constant(undefined), strange),
    Settings: fc.oneof(
      strange,
      fc.dictionary(fc.constantFrom(...fields), fc.oneof(strange, strangeRow, name)),
    ),
  }),
);

/** Bytes that are nothing, or almost something. */
export const rubbishBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.string({ maxLength: 60 }).map((text) => Buffer.from(text)),
  fc.string({ maxLength: 30 }).map((text) => Buffer.from(`{"Settings":${text}`)),
  fc.constant(Buffer.from([0xc1])),
  fc.constant(Buffer.from('[')),
);
