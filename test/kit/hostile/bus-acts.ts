/**
 * What a stranger sends on the bus in one step: a subject its permissions name (now and then one
 * they do not), a body by the grammar of that subject or out of recorded traffic, encoded well or
 * badly, once or many times.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isWriteAction } from '../../../contracts/actions.ts';
import type { Dice } from '../simulator/dice.ts';
import { bodyOfCapability, capabilityActions } from './capability-bodies.ts';
import { bodyOfControl, lookingVerbs } from './control-bodies.ts';
import { type Encoded, encoded } from './encodings.ts';
import { recordedEnvelope } from './recorded.ts';
import { permissionsFor, roleNames, type Stranger } from './roles.ts';
import { type Definitions, docOf, fitting, guid, mutated, objectNames, strange } from './shapes.ts';

export type BusMessage = { subject: string } & Encoded;
export type BusAct = { role: Stranger; messages: BusMessage[] };

const schemaPath = join(import.meta.dirname, '../../../contracts/contract.schema.json');
const { $defs: definitions } = JSON.parse(readFileSync(schemaPath, 'utf8')) as {
  $defs: Definitions;
};
const actions = Object.keys(definitions).flatMap((name) =>
  name.endsWith('.request') ? name.slice(0, -'.request'.length) : [],
);
const everySubject = roleNames.flatMap((name) => permissionsFor(name).publish.allow);

/** Making streams is the server's business, and what it allows there is another test's. */
const isLeftAlone = (pattern: string) => /^\$JS\.API\..*\.(?:CREATE|DELETE)\./.test(pattern);

export function busAct(dice: Dice, role: Stranger): BusAct {
  const own = permissionsFor(role).publish.allow;
  const isOwn = dice.chance(0.93);
  const pattern = dice.pick((isOwn ? own : everySubject).filter((one) => !isLeftAlone(one)));
  const burst = dice.weighted({ one: 10, some: 5, many: 1 });
  const count = burst === 'one' ? 1 : burst === 'some' ? 2 + dice.below(8) : 100;
  const template = messageOn(dice, pattern, role);
  const messages = Array.from({ length: count }, (_, at) => {
    if (at === 0 || burst === 'many') return template;
    return messageOn(dice, dice.chance(0.7) ? pattern : dice.pick(own), role);
  });
  return { role, messages: messages.filter(({ subject }) => !isLeftAlone(subject)) };
}

function messageOn(dice: Dice, pattern: string, role: Stranger): BusMessage {
  const subject = filled(dice, pattern, role);
  const body = bodyOn(dice, subject);
  const value = dice.chance(0.35) ? body : mutated(dice, body);
  const { bytes, headers } = dice.chance(0.03)
    ? { bytes: new Uint8Array(Array.from({ length: 40 }, () => dice.below(256))), headers: [] }
    : encoded(dice, value);
  return { subject, bytes, headers };
}

/** A subject of the pattern; an operator of hub1 only looks, for changing is what it may do. */
function filled(dice: Dice, pattern: string, role: Stranger): string {
  const tokens = pattern.split('.').flatMap((token, at, all) => {
    if (token === '>') return Array.from({ length: 1 + dice.below(2) }, () => nameOf(dice));
    return token === '*' ? [wildcard(dice, all, at, role)] : [token];
  });
  return tokens.join('.');
}

function wildcard(dice: Dice, tokens: readonly string[], at: number, role: Stranger): string {
  const [first, second, third] = tokens;
  if (first === 'tidemark' || first === 'tidemark-in') {
    if (at === 1) return dice.pick(['hub1', 'hub1', 'hub2', nameOf(dice)]);
    if (third === 'control')
      return dice.pick(role === 'operator1' ? lookingVerbs : [...lookingVerbs, 'clear', 'pause']);
    if (at === 3) return dice.pick([...actions, 'batch', 'chunk', nameOf(dice)]);
  }
  if (first === 'mesh' && second !== 'presence') {
    if (at === 1) return dice.pick(['db-1', 'db-2', nameOf(dice)]);
    if (at === 3) return dice.pick([...capabilityActions(third ?? ''), 'chunk', nameOf(dice)]);
    return dice.pick(['hub1', 'hub2', nameOf(dice)]);
  }
  return nameOf(dice);
}

function nameOf(dice: Dice): string {
  return dice.pick([...objectNames, 'hub1', 'hub2', 'db-1', 'db-3', 'x', 'y'.repeat(100), 'queue']);
}

function bodyOn(dice: Dice, subject: string): unknown {
  const [first = '', second = '', third = '', fourth = ''] = subject.split('.');
  if (first === 'tidemark' && third === 'control') return bodyOfControl(dice, fourth);
  if (first === 'tidemark' && third === 'event') return docOf({ State: 'bootstrapped', Hub: 'x' });
  if (first === 'tidemark') return bodyOfAction(dice, fourth);
  if (first === 'tidemark-in') {
    const body = bodyOfAction(dice, dice.pick(actions.filter(isWriteAction)));
    return dice.chance(0.8) ? docOf({ ...body, Action: subject.split('.')[3] }) : body;
  }
  if (first === 'mesh' && second === 'presence') return presence(dice, third);
  if (first === 'mesh') return bodyOfCapability(dice, third, fourth);
  return dice.chance(0.5) ? docOf() : strange(dice);
}

function bodyOfAction(dice: Dice, action: string): Record<string, unknown> {
  if (action === 'batch')
    return fitting(dice, { $ref: '#/$defs/BatchRequest' }, definitions) as Record<string, unknown>;
  if (action === 'chunk') return chunk(dice);
  if (dice.chance(0.4)) return recordedEnvelope(dice, action);
  const body = fitting(dice, { $ref: `#/$defs/${action}.request` }, definitions);
  return (body ?? docOf()) as Record<string, unknown>;
}

/** Mostly half-sent: the first of several, which never come. */
function chunk(dice: Dice): Record<string, unknown> {
  const count = dice.pick([1, 2, 8, 65_536]);
  return docOf({
    Transfer: guid(dice),
    Index: dice.pick([0, 0, 0, 1, count - 1, -1]),
    Count: count,
    Data: new Uint8Array(dice.pick([0, 10, 1_000, 100_000])),
    Action: dice.pick([...actions, 'batch', 'chunk']),
    ContentEncoding: dice.pick(['', 'gzip']),
  });
}

function presence(dice: Dice, beacon: string): Record<string, unknown> {
  const body = docOf(fitting(dice, { $ref: '#/$defs/Presence' }, definitions) as object as never);
  body['BeaconID'] = dice.pick([beacon || 'db-1', 'db-3', 'db-1', `db-${dice.below(5_000)}`]);
  if (dice.chance(0.5)) body['Tags'] = docOf({ PersistenceConnectionID: dice.pick(['1', '2']) });
  if (dice.chance(0.1)) body['Tags'] = docOf({ x: docOf({ toString: 1 }) });
  return body;
}
