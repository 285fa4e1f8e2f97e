/**
 * The operators' verbs of a worker: the one list for control, HTTP, the operators' log, permissions
 * and the command line.
 */
import { isJsonObject, type JsonObject } from './body/json-value.ts';

/** Whether a request of the verb only reads; all others are meant to change something. */
type OnlyLooks = (body: JsonObject) => boolean;

const always: OnlyLooks = () => true;
const never: OnlyLooks = () => false;
/** For verbs with subverbs; the first is the default. */
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

/** Verbs that change something and take no body; over HTTP `POST /api/<verb>`. */
export const bareVerbs = ['pause', 'resume', 'drain', 'clear'] as const satisfies ControlVerb[];
