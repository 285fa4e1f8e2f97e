/**
 * The domain actions: the lane of each, whether it writes, the schema of its Settings, and the key
 * that orders it. The schemas are JSON Schema built from the persistence schema, so that what the
 * tables cannot hold is refused on arrival.
 */
import { type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { isJsonObject, type JsonObject, type JsonValue } from './body/json-value.ts';
import { limits } from './limits.ts';
import { type SchemaColumn, type TableName, tableOf } from './schema.ts';
import type { Lane } from './subjects.ts';

export const writeActions = [
  'QP_UpsertWorkItem',
  'QP_UpdateWorkItem',
  'QP_AppendEvent',
  'QP_InsertAttempt',
  'QP_UpdateAttemptOutcome',
  'MS_UpsertManifest',
  'MS_RemoveManifest',
] as const;
export const readActions = [
  'QP_GetWorkItemByHash',
  'QP_ListWorkItems',
  'QP_GetEvents',
  'MS_GetManifest',
  'MS_ListManifests',
] as const;

export type WriteAction = (typeof writeActions)[number];
export type ReadAction = (typeof readActions)[number];
export type Action = WriteAction | ReadAction;

const hash = (what: string) =>
  Type.String({
    minLength: 1,
    maxLength: 128,
    description: `${what}, a string of 1 to 128 characters`,
  });

/** The values accepted for a column; null always means the column's empty value. */
function columnSchema(column: SchemaColumn): TSchema {
  switch (column.kind) {
    case 'integer':
      return Type.Union(
        [
          Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
          Type.Null(),
        ],
        { description: 'an integer within ±2^53, or null' },
      );
    case 'float':
      return Type.Union([Type.Number(), Type.Null()], { description: 'a number or null' });
    case 'boolean':
      return Type.Union([Type.Boolean(), Type.Literal(0), Type.Literal(1), Type.Null()], {
        description: 'true, false or null',
      });
    case 'sized':
      return Type.Union(
        [Type.String({ maxLength: column.charsMax }), Type.Number(), Type.Boolean(), Type.Null()],
        { description: `a string of at most ${column.charsMax} characters, a number, or null` },
      );
    default:
      return Type.Unknown();
  }
}

function rowSchema(table: TableName, required: TProperties): TSchema {
  const properties: TProperties = {};
  for (const column of tableOf(table).columns.values()) {
    if (column.kind !== 'own' && column.kind !== 'json' && column.kind !== 'text') {
      properties[column.name] = Type.Optional(columnSchema(column));
    }
  }
  return Type.Object(
    { ...properties, ...required },
    { additionalProperties: true, description: `fields of ${table}` },
  );
}

const attemptNumber = Type.Integer({
  minimum: 0,
  maximum: 2_147_483_647,
  description: 'an integer from 0 to 2147483647',
});
const workItemHash = { WorkItemHash: hash('the work item') };
const fillOnly = {
  FillOnly: Type.Optional(
    Type.Boolean({
      description: 'true or false: write only where there is no row, or its column is empty',
    }),
  ),
};
const runHash = { RunHash: hash('the run') };

const stringOrList = Type.Union(
  [
    Type.String({ maxLength: 128 }),
    Type.Array(Type.String({ maxLength: 128 }), { minItems: 1, maxItems: 100 }),
  ],
  { description: 'a string, or a list of 1 to 100 strings' },
);

function filterSchema(matching: readonly string[], more: TProperties): TSchema {
  const properties: TProperties = {};
  for (const name of matching) properties[name] = Type.Optional(stringOrList);
  const limit = `an integer from 1 to ${limits.listRowsMax}`;
  return Type.Optional(
    Type.Object(
      {
        ...properties,
        Limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: limits.listRowsMax, description: limit }),
        ),
        OrderBy: Type.Optional(
          Type.String({ minLength: 1, maxLength: 80, description: '"Col", "-Col" or "Col DESC"' }),
        ),
        After: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 2_000,
            description: 'the Next of the page before',
          }),
        ),
        ...more,
      },
      { additionalProperties: false, description: 'a filter' },
    ),
  );
}

export const workItemFilters = [
  'Status',
  'AssignedBeaconID',
  'RunID',
  'Capability',
  'OperationHash',
] as const;
export const manifestFilters = ['Status', 'OperationHash'] as const;

/**
 * Settings of each action as JSON Schema. Unknown keys are ignored, because coordinators add their
 * own (QueueMetadata).
 */
export const settingsSchemas: Record<Action, TSchema> = {
  QP_UpsertWorkItem: Type.Object({
    WorkItem: rowSchema('UVQueueWorkItem', workItemHash),
    ...fillOnly,
  }),
  QP_UpdateWorkItem: Type.Object({ ...workItemHash, Patch: rowSchema('UVQueueWorkItem', {}) }),
  QP_AppendEvent: Type.Object({ Event: rowSchema('UVQueueWorkItemEvent', workItemHash) }),
  QP_InsertAttempt: Type.Object({
    Attempt: rowSchema('UVQueueWorkItemAttempt', { ...workItemHash, AttemptNumber: attemptNumber }),
  }),
  QP_UpdateAttemptOutcome: Type.Object({
    ...workItemHash,
    AttemptNumber: attemptNumber,
    Patch: rowSchema('UVQueueWorkItemAttempt', {}),
  }),
  QP_GetWorkItemByHash: Type.Object(workItemHash),
  QP_ListWorkItems: Type.Object({ Filter: filterSchema(workItemFilters, {}) }),
  QP_GetEvents: Type.Object({
    ...workItemHash,
    Limit: Type.Optional(
      Type.Union([Type.Integer({ minimum: 0, maximum: limits.listRowsMax }), Type.Null()], {
        description: `an integer from 0 (all the answer holds) to ${limits.listRowsMax}`,
      }),
    ),
  }),
  MS_UpsertManifest: Type.Object({
    Manifest: rowSchema('UVManifest', { Hash: hash('the run') }),
    ...fillOnly,
  }),
  MS_RemoveManifest: Type.Object(runHash),
  MS_GetManifest: Type.Object(runHash),
  MS_ListManifests: Type.Object({
    Filter: filterSchema(manifestFilters, {
      Full: Type.Optional(Type.Boolean({ description: 'true or false' })),
    }),
  }),
};

const known = new Map<string, { lane: Lane; isWrite: boolean }>();
for (const action of writeActions)
  known.set(action, { lane: action.startsWith('QP_') ? 'queue' : 'manifest', isWrite: true });
for (const action of readActions)
  known.set(action, { lane: action.startsWith('QP_') ? 'queue' : 'manifest', isWrite: false });

/** The lane of an action; null when there is no such action. */
export function laneOf(action: string): Lane | null {
  return known.get(action)?.lane ?? null;
}

export function isWriteAction(action: string): action is WriteAction {
  return known.get(action)?.isWrite === true;
}

export function isReadAction(action: string): action is ReadAction {
  return known.get(action)?.isWrite === false;
}

/** The names of a lane's actions, for messages. */
export function actionsOf(lane: Lane): string[] {
  return [...known].filter(([, about]) => about.lane === lane).map(([name]) => name);
}

function within(settings: JsonObject, name: string, field: string): string {
  const part: JsonValue | undefined = settings[name];
  return isJsonObject(part) ? String(part[field]) : '';
}

/** The key that orders a checked write within its lane: WorkItemHash or RunHash. */
export function keyOf(action: WriteAction, settings: JsonObject): string {
  switch (action) {
    case 'QP_UpsertWorkItem':
      return within(settings, 'WorkItem', 'WorkItemHash');
    case 'QP_AppendEvent':
      return within(settings, 'Event', 'WorkItemHash');
    case 'QP_InsertAttempt':
      return within(settings, 'Attempt', 'WorkItemHash');
    case 'QP_UpdateWorkItem':
    case 'QP_UpdateAttemptOutcome':
      return String(settings['WorkItemHash']);
    case 'MS_UpsertManifest':
      return within(settings, 'Manifest', 'Hash');
    case 'MS_RemoveManifest':
      return String(settings['RunHash']);
  }
}
