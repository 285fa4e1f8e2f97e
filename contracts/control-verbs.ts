/**
 * The operators' verbs of a worker: one list for control, HTTP, the log of operators, permissions
 * and the command line.
 */
import { isJsonObject, type JsonObject } from './body/json-value.ts';

/** Whether a request of the verb only looks; any other changes something, or means to. */
type OnlyLooks = (body: JsonObject) => boolean;

const always: OnlyLooks = () => true;
const never: OnlyLooks = () => false;
/** Verbs with verbs of their own, the first of which is meant where none is named. */
const isOneOf = (body: JsonObject, verbs: readonly string[]) =>
  verbs.includes(String(body['Verb'] ?? verbs[0]));

export const controlVerbs = {
  status: always,
  assign: never,
  clear: never,
  hwm: (body) => !isJsonObject(body['set']),
  locate: always,
  'dead-letters': (body) =>
    typeof body['retry'] !== 'number' &&
    typeof body['drop'] !== 'number' &&
    isOneOf(body, ['list', 'show']),
  journal: always,
  pause: never,
  resume: never,
  drain: never,
  ops: (body) => isOneOf(body, ['status', 'history', 'progress']),
  'operator-log': always,
  drill: (body) => body['BeaconID'] === undefined && body['Stop'] !== true,
} as const satisfies Record<string, OnlyLooks>;

export type ControlVerb = keyof typeof controlVerbs;
export const controlVerbNames = Object.keys(controlVerbs) as ControlVerb[];

export function isControlVerb(name: string): name is ControlVerb {
  return Object.hasOwn(controlVerbs, name);
}

/** Verbs that change something and take nothing: over HTTP `POST /api/<verb>`. */
export const bareVerbs = ['pause', 'resume', 'drain', 'clear'] as const satisfies ControlVerb[];
