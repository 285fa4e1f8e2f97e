/** Translates one recorded bridge call into a domain action with its identity and ordering key. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { type Action, isWriteAction, keyOf, laneOf } from '../../contracts/actions.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { TraceLine } from './trace-file.ts';

export type TraceItem = {
  lane: Lane;
  action: Action;
  isWrite: boolean;
  /**
   * Items with one key are sent one after the other; a read without a key gets a key of its own.
   */
  key: string;
  envelope: { EventGUID?: string; Settings: JsonObject };
  /** Length of the line, close to the size of the body. */
  bytes: number;
  /** File and line, for messages. */
  where: string;
};

/** Why a line is not sent. */
export type Skipped = { skipped: 'not-an-action' | 'unreadable' };

type Method = { action: Action; toSettings: (args: unknown[]) => object };

const filterOf = (filter: unknown) => ({ Filter: isJsonObject(filter) ? filter : {} });

/** The bridges' methods. Other recorded calls (`onBeaconConnected`) are not actions. */
const methods: Record<string, Method> = {
  upsertWorkItem: { action: 'QP_UpsertWorkItem', toSettings: ([item]) => ({ WorkItem: item }) },
  updateWorkItem: {
    action: 'QP_UpdateWorkItem',
    toSettings: ([hash, patch]) => ({ WorkItemHash: hash, Patch: patch }),
  },
  appendEvent: { action: 'QP_AppendEvent', toSettings: ([event]) => ({ Event: event }) },
  insertAttempt: { action: 'QP_InsertAttempt', toSettings: ([attempt]) => ({ Attempt: attempt }) },
  updateAttemptOutcome: {
    action: 'QP_UpdateAttemptOutcome',
    toSettings: ([hash, number, patch]) => ({
      WorkItemHash: hash,
      AttemptNumber: number,
      Patch: patch,
    }),
  },
  getWorkItemByHash: {
    action: 'QP_GetWorkItemByHash',
    toSettings: ([hash]) => ({ WorkItemHash: hash }),
  },
  listWorkItems: { action: 'QP_ListWorkItems', toSettings: ([filter]) => filterOf(filter) },
  getEvents: {
    action: 'QP_GetEvents',
    toSettings: ([hash, limit]) => ({ WorkItemHash: hash, Limit: limit ?? 0 }),
  },
  upsertManifest: {
    action: 'MS_UpsertManifest',
    toSettings: ([manifest]) => ({ Manifest: manifest }),
  },
  removeManifest: { action: 'MS_RemoveManifest', toSettings: ([hash]) => ({ RunHash: hash }) },
  getManifest: { action: 'MS_GetManifest', toSettings: ([hash]) => ({ RunHash: hash }) },
  listManifests: { action: 'MS_ListManifests', toSettings: ([filter]) => filterOf(filter) },
};

/**
 * Turns the lines of one file into items. The same file name and line always give the same item, so
 * publishing again sends duplicates.
 */
export class TraceReader {
  readonly #name: string;
  readonly #guidStart: string;

  constructor(path: string) {
    this.#name = basename(path);
    const hash = createHash('sha256').update(this.#name).digest('hex').slice(0, 12);
    // UUID version 8 with the line number last: the GUIDs of one file are neighbours in the
    // journal's index.
    this.#guidStart = `${hash.slice(0, 8)}-${hash.slice(8)}-8000-8000-`;
  }

  guidOf(line: number): string {
    return this.#guidStart + line.toString(16).padStart(12, '0');
  }

  read(line: TraceLine): TraceItem | Skipped {
    const call = parse(line.text);
    if (!call) return { skipped: 'unreadable' };
    const method = Object.hasOwn(methods, call.method) ? methods[call.method] : undefined;
    if (!method) return { skipped: 'not-an-action' };
    const { action } = method;
    const isWrite = isWriteAction(action);
    const guid = this.guidOf(line.number);
    const settings = method.toSettings(call.args) as JsonObject;
    if (action === 'QP_AppendEvent') stampEvent(settings, guid, line.number);
    const where = `${this.#name}:${line.number}`;
    const lane = laneOf(action) as Lane;
    return {
      lane,
      action,
      isWrite,
      where,
      bytes: line.text.length,
      key: orderingKey(lane, action, settings) ?? where,
      envelope: isWrite ? { EventGUID: guid, Settings: settings } : { Settings: settings },
    };
  }
}

function parse(text: string): { method: string; args: unknown[] } | null {
  let call: unknown;
  try {
    call = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isJsonObject(call) || typeof call['method'] !== 'string' || !Array.isArray(call['args']))
    return null;
  return { method: call['method'], args: call['args'] };
}

/**
 * Recorded events have no GUID, so derive one. No clock is used: a repeat must have the same
 * content.
 */
function stampEvent(settings: JsonObject, guid: string, line: number): void {
  const event = settings['Event'];
  if (!isJsonObject(event)) return;
  settings['Event'] = {
    ...event,
    EventGUID: event['EventGUID'] || guid,
    Seq: event['Seq'] ?? line,
  };
}

/** The key whose earlier writes this item must wait for; null when it names none. */
function orderingKey(lane: Lane, action: Action, settings: JsonObject): string | null {
  const key = isWriteAction(action)
    ? keyOf(action, settings)
    : (settings['WorkItemHash'] ?? settings['RunHash']);
  return typeof key === 'string' && key !== '' && key !== 'undefined' ? `${lane} ${key}` : null;
}
