/** Every bus subject is built here and nowhere else. */

export const lanes = ['queue', 'manifest'] as const;
export type Lane = (typeof lanes)[number];

/** A lane as local state numbers it. */
export function laneIndex(lane: Lane): number {
  return lanes.indexOf(lane);
}

const hubIdShape = /^[A-Za-z0-9_-]{1,64}$/;

/** Names every object has: as a key they would mean something else than a hub or a beacon. */
const objectNames: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'prototype',
]);

/**
 * True for a HubID or BeaconID: 1-64 of `[A-Za-z0-9_-]`, so that it is one token of a subject, and
 * no name every object has.
 */
export function isSubjectToken(text: string): boolean {
  return hubIdShape.test(text) && !objectNames.has(text);
}

export const subjects = {
  action: (hub: string, lane: Lane, action: string) => `tidemark.${hub}.${lane}.${action}`,
  batch: (hub: string, lane: Lane) => `tidemark.${hub}.${lane}.batch`,
  chunk: (hub: string, lane: Lane) => `tidemark.${hub}.${lane}.chunk`,
  /** All requests of one lane; the last token is the action, `batch` or `chunk`. */
  laneAll: (hub: string, lane: Lane) => `tidemark.${hub}.${lane}.*`,
  control: (hub: string, verb: string) => `tidemark.${hub}.control.${verb}`,
  controlAll: (hub: string) => `tidemark.${hub}.control.*`,
  event: (hub: string, name: 'state' | 'store-changed' | 'fault' | 'pressure' | 'legacy') =>
    `tidemark.${hub}.event.${name}`,
  eventAll: (hub: string) => `tidemark.${hub}.event.*`,
  oneWay: (hub: string, lane: Lane, action: string) => `tidemark-in.${hub}.${lane}.${action}`,
  oneWayAll: (hub: string) => `tidemark-in.${hub}.>`,
  oneWayStream: (hub: string) => `TIDEMARK_IN_${hub}`,
  /** With a hub it is asked for that hub alone; without one it is an operator's question. */
  capability: (beacon: string, capability: string, action: string, hub: string | null = null) =>
    `mesh.${beacon}.${capability}.${action}${hub === null ? '' : `.${hub}`}`,
  capabilityAll: (beacon: string, capability: string) => `mesh.${beacon}.${capability}.*`,
  /** All that is asked for hubs. */
  capabilityForHubs: (beacon: string, capability: string) => `mesh.${beacon}.${capability}.*.*`,
  presence: (beacon: string) => `mesh.presence.${beacon}`,
  presenceAll: 'mesh.presence.*',
  /** Of beacons that do not have a subject of their own for it: anybody could speak in their name. */
  presenceBare: 'mesh.presence',
} as const;

/**
 * Where the answers to a process's own questions come: below this, by the name it connects under.
 */
export function inboxOf(name: string): string {
  return `_INBOX.${name.replaceAll(/[^A-Za-z0-9_-]+/g, '-')}`;
}

/** Questions to all micro services of a name, or to all there are. */
export const services = {
  subject: (verb: 'PING' | 'INFO' | 'STATS', name?: string) =>
    name === undefined ? `$SRV.${verb}` : `$SRV.${verb}.${name}`,
  worker: 'tidemark-worker',
  beacon: 'databeacon',
} as const;

/** The last token of a subject. */
export function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

/** The action of a request: behind it in the subject of a capability stands the hub, if any. */
export function actionIn(subject: string): string {
  return subject.startsWith('mesh.') ? capabilityTarget(subject).action : lastToken(subject);
}

/** What a subject of a capability asks for; `hub` is null where it is for no hub. */
export function capabilityTarget(subject: string): { action: string; hub: string | null } {
  const [, , , action = '', hub = null] = subject.split('.');
  return { action, hub };
}

/**
 * Lane and action of a one-way subject `tidemark-in.<hub>.<lane>.<Action>`; null for any other
 * shape.
 */
export function oneWayTarget(subject: string): { lane: Lane; action: string } | null {
  const [, , lane, action, more] = subject.split('.');
  if (action === undefined || more !== undefined) return null;
  if (lane !== 'queue' && lane !== 'manifest') return null;
  return { lane, action };
}
