/** Builds every bus subject; no other module does. */

export const lanes = ['queue', 'manifest'] as const;
export type Lane = (typeof lanes)[number];

/** The number of a lane in local state. */
export function laneIndex(lane: Lane): number {
  return lanes.indexOf(lane);
}

const hubIdShape = /^[A-Za-z0-9_-]{1,64}$/;

/** Names of Object members: as a key they would not mean a hub or a beacon. */
const objectNames: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'prototype',
]);

/**
 * Whether text is valid as a HubID or BeaconID: 1-64 of `[A-Za-z0-9_-]`, so that it is one token of
 * a subject, and not the name of an Object member.
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
  event: (
    hub: string,
    name: 'state' | 'store-changed' | 'fault' | 'pressure' | 'legacy' | 'owner',
  ) => `tidemark.${hub}.event.${name}`,
  eventAll: (hub: string) => `tidemark.${hub}.event.*`,
  oneWay: (hub: string, lane: Lane, action: string) => `tidemark-in.${hub}.${lane}.${action}`,
  oneWayAll: (hub: string) => `tidemark-in.${hub}.>`,
  oneWayStream: (hub: string) => `TIDEMARK_IN_${hub}`,
  /** Names the hub that the request is for; null for a request by an operator. */
  capability: (beacon: string, capability: string, action: string, hub: string | null = null) =>
    `mesh.${beacon}.${capability}.${action}${hub === null ? '' : `.${hub}`}`,
  capabilityAll: (beacon: string, capability: string) => `mesh.${beacon}.${capability}.*`,
  /** All requests that name a hub. */
  capabilityForHubs: (beacon: string, capability: string) => `mesh.${beacon}.${capability}.*.*`,
  presence: (beacon: string) => `mesh.presence.${beacon}`,
  presenceAll: 'mesh.presence.*',
  /** Shared by beacons without a presence subject of their own; anybody can use any name there. */
  presenceBare: 'mesh.presence',
} as const;

/** Prefix of a process's reply subjects, by the name it connects with. */
export function inboxOf(name: string): string {
  return `_INBOX.${name.replaceAll(/[^A-Za-z0-9_-]+/g, '-')}`;
}

/** Requests to all micro services, or to all of one name. */
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

/** The action of a request; in a capability's subject the hub may follow it. */
export function actionIn(subject: string): string {
  return subject.startsWith('mesh.') ? capabilityTarget(subject).action : lastToken(subject);
}

/** The action and hub in a capability's subject; `hub` is null when it names none. */
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
