/**
 * Values by the grammar: what a schema describes, and what becomes of it when members are dropped,
 * doubled, renamed or replaced.
 */
import type { Dice } from '../simulator/dice.ts';

export type Schema = {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
};
export type Definitions = Readonly<Record<string, Schema>>;
type Doc = Record<string, unknown>;

/** An object that may have any member, also one called `__proto__`. */
export function docOf(members: Record<string, unknown> = {}): Doc {
  return Object.assign(Object.create(null) as Doc, members);
}

export const objectNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'then',
  'toJSON',
  'length',
] as const;

export function guid(dice: Dice): string {
  const hex = (length: number) =>
    Array.from({ length }, () => dice.below(16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-${dice.pick(['4', '7', '8'])}${hex(3)}-8${hex(3)}-${hex(12)}`;
}

/** A value the schema allows. Names of rows are the stranger's own. */
export function fitting(dice: Dice, schema: Schema, all: Definitions, depth = 0): unknown {
  if (schema.$ref) {
    const target = all[schema.$ref.replace('#/$defs/', '')];
    return target ? fitting(dice, target, all, depth) : null;
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fitting(dice, dice.pick(choices), all, depth);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return dice.pick(schema.enum);
  switch (schema.type) {
    case 'object':
      return fittingObject(dice, schema, all, depth);
    case 'array': {
      const count = depth > 6 ? 0 : dice.below(4);
      return Array.from({ length: count }, () => fitting(dice, schema.items ?? {}, all, depth + 1));
    }
    case 'string':
      return fittingText(dice, schema);
    case 'integer':
    case 'number':
      return dice.pick([
        schema.minimum ?? 0,
        schema.maximum ?? 7,
        Math.max(1, schema.minimum ?? 0),
        dice.below(1_000),
      ]);
    case 'boolean':
      return dice.chance(0.5);
    default:
      return schema.type === 'null' ? null : strange(dice);
  }
}

function fittingObject(dice: Dice, schema: Schema, all: Definitions, depth: number): Doc {
  const doc = docOf();
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const isWanted = schema.required?.includes(name) === true || dice.chance(0.3);
    if (isWanted) doc[name] = fitting(dice, member, all, depth + 1);
  }
  if (dice.chance(0.1)) doc[dice.pick(objectNames)] = strange(dice);
  return doc;
}

function fittingText(dice: Dice, schema: Schema): string {
  if (schema.format === 'date-time') return '2026-01-02T03:04:05.678Z';
  if (schema.pattern?.includes('{8}-')) return guid(dice);
  if (schema.pattern?.includes('{1,64}')) return dice.pick(['hub1', 'hub2', 'db-1', 'db-3']);
  const text = dice.pick([
    'x',
    'stranger-1',
    'stranger-2',
    'Pending',
    `stranger-${dice.below(50)}`,
  ]);
  return dice.chance(0.05) ? 'y'.repeat(schema.maxLength ?? 200) : text;
}

/** A value that is wrong nearly everywhere. */
export function strange(dice: Dice): unknown {
  const wide = () => 'z'.repeat(2 ** dice.below(17));
  return dice.pick<() => unknown>([
    () => null,
    () => '',
    () => wide(),
    () => dice.pick([0, -1, 1.5, 2 ** 53 - 2, -(2 ** 53), 1e308, 2 ** 31]),
    () => dice.pick([true, false]),
    () => [],
    () => docOf({ toString: 1, valueOf: null }),
    () => docOf({ [dice.pick(objectNames)]: docOf({ polluted: true, isAdmin: true }) }),
    () => dice.pick(objectNames),
    () => '\u001B]52;c;c3RyYW5nZXI=\u0007\u001B[2J\u202E',
    () => "'; DROP TABLE UVQueueWorkItem; --",
    () => '../../../../etc/passwd\u0000.sqlite',
    () => '\uD800 lone',
    () => dice.pick(['hub1', 'hub2', 'db-1', 'db-2', 'db-3']),
    () => Array.from({ length: dice.below(2_000) }, (_, n) => n),
    () => docOf(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`m${n}`, n]))),
  ])();
}

/** The same value with a few of its members dropped, renamed, doubled or replaced. */
export function mutated(dice: Dice, value: unknown, edits = 1 + dice.below(3)): unknown {
  let changed = copied(value);
  for (let edit = 0; edit < edits; edit += 1) changed = editedOnce(dice, changed);
  return changed;
}

function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return docOf(
    Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copied(member)])),
  );
}

function editedOnce(dice: Dice, value: unknown): unknown {
  if (Array.isArray(value)) {
    if (value.length === 0 || dice.chance(0.2)) return [...(value as unknown[]), strange(dice)];
    const at = dice.below(value.length);
    return (value as unknown[]).map((one, index) => (index === at ? editedOnce(dice, one) : one));
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array)
    return strange(dice);
  const doc = value as Doc;
  const names = Object.keys(doc);
  if (names.length === 0) return strange(dice);
  const name = dice.pick(names);
  const change = dice.weighted({ deeper: 6, replaced: 3, dropped: 1, added: 1, renamed: 1 });
  if (change === 'deeper') doc[name] = editedOnce(dice, doc[name]);
  else if (change === 'replaced') doc[name] = strange(dice);
  else if (change === 'added') doc[dice.pick(objectNames)] = strange(dice);
  else {
    if (change === 'renamed') doc[dice.pick(objectNames)] = doc[name];
    Reflect.deleteProperty(doc, name);
  }
  return doc;
}
