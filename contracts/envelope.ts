/**
 * Decodes the envelope a hub sends. Every refusal names the path of the field. Later code never
 * sees unchecked input.
 */
import type { TSchema } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import {
  type Action,
  actionsOf,
  isReadAction,
  isWriteAction,
  keyOf,
  laneOf,
  type ReadAction,
  settingsSchemas,
  type WriteAction,
} from './actions.ts';
import { TidemarkError } from './errors.ts';
import { isJsonObject, type JsonObject, toJsonValue } from './body/json-value.ts';
import { limits } from './limits.ts';
import { jsonColumns, sizedColumns } from './schema.ts';
import type { Lane } from './subjects.ts';

/** A checked write. `eventGuid` is as sent; comparing ignores its case. */
export type WriteEnvelope = {
  kind: 'write';
  lane: Lane;
  action: WriteAction;
  eventGuid: string;
  key: string;
  at: string | null;
  remoteUser: string;
  settings: JsonObject;
  /** How long the sender waits for "applied", in milliseconds; 0 when it does not. */
  waitMs: number;
  /** Trace context of the request, as the journal keeps it; not part of the content. */
  trace?: string;
};

/**
 * A write whose Settings are the JSON text that the journal keeps, with the digest of its content:
 * large ones are parsed where that holds up nobody, and never again on the way in.
 */
export type PackedWrite = Omit<WriteEnvelope, 'settings'> & {
  settingsText: string;
  digest: Uint8Array;
};

export type ReadEnvelope = {
  kind: 'read';
  lane: Lane;
  action: ReadAction;
  settings: JsonObject;
  remoteUser: string;
};
export type Envelope = WriteEnvelope | ReadEnvelope;

export const defaultRemoteUser = 'ultravisor-system';

const guidShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const isoShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** True for a UUID of any version in its usual text form. */
export function isGuid(text: unknown): text is string {
  return typeof text === 'string' && guidShape.test(text);
}

const checks = new Map<string, TypeCheck<TSchema>>();
for (const [action, schema] of Object.entries(settingsSchemas))
  checks.set(action, TypeCompiler.Compile(schema));

function invalid(path: string, why: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', `${path}: ${why}`);
}

function shown(value: unknown): string {
  if (typeof value === 'string')
    return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  return Array.isArray(value) ? 'a list' : 'an object';
}

/** Turns `/WorkItem/Status` into `Settings.WorkItem.Status`. */
function dotted(pointer: string): string {
  return [
    'Settings',
    ...pointer
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')),
  ].join('.');
}

function settingsError(action: Action, settings: JsonObject): TidemarkError {
  const first = checks.get(action)?.Errors(settings).First();
  if (!first) return invalid('Settings', "does not match the action's schema");
  if (first.message === 'Unexpected property')
    return invalid(dotted(first.path), 'not a known filter; docs/CONTRACT.md lists the filters');
  const wanted =
    first.schema.description ?? (first.schema['type'] as string | undefined) ?? 'another type';
  return invalid(dotted(first.path), `expected ${wanted}, got ${shown(first.value)}`);
}

/**
 * Decodes one request of a lane.
 * @param body the decoded body
 * @param lane the lane in the subject
 * @param action the last token of the subject
 * @throws TidemarkError INVALID_MESSAGE naming the field's path
 */
export function decodeEnvelope(body: unknown, lane: Lane, action: string, path = ''): Envelope {
  if (!isJsonObject(body))
    throw invalid(path || 'body', `expected an object with Settings, got ${shown(body)}`);
  const prefix = path ? `${path}.` : '';
  if (laneOf(action) !== lane) throw unknownAction(prefix, lane, action);
  const remoteUser = decodeUser(body, prefix);
  const settings = toJsonValue(body['Settings'] ?? {}, `${prefix}Settings`);
  if (!isJsonObject(settings))
    throw invalid(`${prefix}Settings`, `expected an object, got ${shown(settings)}`);
  if (!checks.get(action)?.Check(settings))
    throw atPrefix(settingsError(action as Action, settings), prefix);
  if (isReadAction(action)) return { kind: 'read', lane, action, settings, remoteUser };
  if (!isWriteAction(action)) throw unknownAction(prefix, lane, action);
  const eventGuid = body['EventGUID'];
  if (!isGuid(eventGuid))
    throw invalid(`${prefix}EventGUID`, `expected a UUID, got ${shown(eventGuid)}`);
  checkRow(action, settings, prefix);
  return {
    kind: 'write',
    lane,
    action,
    eventGuid,
    key: keyOf(action, settings),
    settings,
    remoteUser,
    at: decodeAt(body, prefix),
    waitMs: decodeWait(body, prefix),
  };
}

/**
 * Decodes one item of a batch, which has its Action inside.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function decodeBatchItem(item: unknown, lane: Lane, path: string): WriteEnvelope {
  if (!isJsonObject(item)) throw invalid(path, `expected an object, got ${shown(item)}`);
  const action = item['Action'];
  if (typeof action !== 'string')
    throw invalid(`${path}.Action`, `expected the name of an action, got ${shown(action)}`);
  const envelope = decodeEnvelope(item, lane, action, path);
  if (envelope.kind === 'read')
    throw invalid(`${path}.Action`, `${action} reads; a batch takes writes only`);
  return envelope;
}

/**
 * The items of a batch body.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function decodeBatch(body: unknown): unknown[] {
  const items = isJsonObject(body) ? body['Items'] : undefined;
  if (!Array.isArray(items))
    throw invalid('Items', `expected a list of writes, got ${shown(items)}`);
  if (items.length > limits.batchItemsMax)
    throw invalid('Items', `${items.length} items, at most ${limits.batchItemsMax}`);
  return items;
}

function unknownAction(prefix: string, lane: Lane, action: string): TidemarkError {
  const other = laneOf(action);
  if (other && other !== lane)
    return invalid(`${prefix}Action`, `${action} belongs to lane ${other}, not ${lane}`);
  return invalid(
    `${prefix}Action`,
    `unknown action ${shown(action)}; lane ${lane} knows ${actionsOf(lane).join(', ')}`,
  );
}

function atPrefix(error: TidemarkError, prefix: string): TidemarkError {
  return prefix ? new TidemarkError(error.code, prefix + error.message) : error;
}

function decodeUser(body: JsonObject, prefix: string): string {
  const user = body['RemoteUser'];
  if (user === undefined || user === null || user === '') return defaultRemoteUser;
  if (typeof user === 'string' && user.length <= limits.remoteUserCharsMax) return user;
  throw invalid(
    `${prefix}RemoteUser`,
    `expected a string of at most ${limits.remoteUserCharsMax} characters, got ${shown(user)}`,
  );
}

function decodeAt(body: JsonObject, prefix: string): string | null {
  const at: unknown = body['At'];
  if (at === undefined || at === null) return null;
  // The usual form needs no rewriting.
  if (typeof at === 'string' && isoShape.test(at) && !Number.isNaN(Date.parse(at))) return at;
  const time =
    at instanceof Date
      ? at.getTime()
      : typeof at === 'string' && at.length <= 50
        ? Date.parse(at)
        : Number.NaN;
  if (Number.isNaN(time))
    throw invalid(`${prefix}At`, `expected an ISO-8601 time, got ${shown(at)}`);
  return new Date(time).toISOString();
}

function decodeWait(body: JsonObject, prefix: string): number {
  const wait = body['Wait'];
  if (wait === undefined || wait === null || wait === 'synced') return 0;
  if (wait !== 'applied')
    throw invalid(`${prefix}Wait`, `expected "synced" or "applied", got ${shown(wait)}`);
  const waitMs = body['WaitMs'] ?? limits.waitAppliedMsDefault;
  if (typeof waitMs === 'number' && waitMs > 0) return Math.min(waitMs, limits.waitAppliedMsMax);
  throw invalid(`${prefix}WaitMs`, `expected milliseconds above 0, got ${shown(waitMs)}`);
}

/** The name of the row inside Settings, by action. */
const rowNames = {
  QP_UpsertWorkItem: 'WorkItem',
  QP_UpdateWorkItem: 'Patch',
  QP_AppendEvent: 'Event',
  QP_InsertAttempt: 'Attempt',
  QP_UpdateAttemptOutcome: 'Patch',
  MS_UpsertManifest: 'Manifest',
  MS_RemoveManifest: null,
} as const satisfies Record<WriteAction, string | null>;

/**
 * Checks what the schema cannot express: that text survives UTF-8, and that a patch does not name
 * another row than its key.
 */
function checkRow(action: WriteAction, settings: JsonObject, prefix: string): void {
  for (const field of ['WorkItemHash', 'RunHash']) {
    const value = settings[field];
    if (typeof value === 'string') checkText(value, `${prefix}Settings.${field}`, true);
  }
  const name = rowNames[action];
  if (!name) return;
  const row = settings[name] as JsonObject;
  const path = `${prefix}Settings.${name}`;
  for (const field in row) {
    const value = row[field];
    if (typeof value === 'string' && !jsonColumns.has(field))
      checkText(value, `${path}.${field}`, sizedColumns.has(field));
  }
  if (name !== 'Patch') return;
  for (const field of ['WorkItemHash', 'AttemptNumber']) {
    if (
      settings[field] !== undefined &&
      row[field] !== undefined &&
      row[field] !== settings[field] &&
      row[field] !== null
    ) {
      throw invalid(
        `${path}.${field}`,
        `${shown(row[field])} is another row than Settings.${field}`,
      );
    }
  }
}

function checkText(value: string, path: string, isSized: boolean): void {
  if (!value.isWellFormed())
    throw invalid(path, 'holds half a surrogate pair, which is not text in UTF-8');
  if (isSized && value.includes('\u0000'))
    throw invalid(path, 'holds a NUL character, which no column with a size takes');
}

/**
 * A whole that came in chunks without naming its action says it inside, as a one-way message does.
 */
export function actionOf(whole: unknown): string {
  if (!isJsonObject(whole)) return '';
  if (Array.isArray(whole['Items'])) return 'batch';
  // Chunks within chunks would let a message nest until the stack is full.
  return whole['Action'] === 'chunk' ? '' : String(whole['Action'] ?? '');
}
