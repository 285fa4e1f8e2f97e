/**
 * JSON values: what both encodings mean after decoding. MessagePack can say more than JSON; the
 * rest is refused here.
 */
import { isExact } from './exact-integers.ts';
import { TidemarkError } from '../errors.ts';
import { limits } from '../limits.ts';

export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export type JsonObject = { [key: string]: JsonValue };

/** True for an object that is neither an array nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The value as JSON: dates become ISO strings, big integers numbers where their digits stay, undefined null. The same
 * object comes back when nothing had to change. `path` names the value in errors.
 * @throws TidemarkError INVALID_MESSAGE for binary, NaN, infinities, other classes, or nesting over
 * `limits.jsonDepthMax`.
 */
export function toJsonValue(value: unknown, path: string, depth = 0): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      throw refuse(path, `${value} is not a JSON number`);
    case 'bigint':
      return fromBigInt(value, path);
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : fromObject(value, path, depth);
    default:
      throw refuse(path, `a ${typeof value} is not a JSON value`);
  }
}

function fromObject(value: object, path: string, depth: number): JsonValue {
  if (depth >= limits.jsonDepthMax)
    throw refuse(path, `nested deeper than ${limits.jsonDepthMax} levels`);
  if (Array.isArray(value)) return fromArray(value, path, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null)
    return fromRecord(value as Record<string, unknown>, path, depth);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  if (value instanceof Uint8Array)
    throw refuse(path, 'binary is not a JSON value; send text, or base64');
  throw refuse(
    path,
    `a ${value.constructor?.name ?? 'value of an unknown class'} is not a JSON value`,
  );
}

function fromArray(value: unknown[], path: string, depth: number): JsonValue[] {
  let copy: JsonValue[] | null = null;
  for (let i = 0; i < value.length; i++) {
    const was = value[i];
    const is = toJsonValue(was, `${path}[${i}]`, depth + 1);
    if (is !== was) (copy ??= value.slice() as JsonValue[])[i] = is;
  }
  return copy ?? (value as JsonValue[]);
}

function fromRecord(value: Record<string, unknown>, path: string, depth: number): JsonObject {
  let copy: JsonObject | null = null;
  for (const key in value) {
    const was = value[key];
    if (typeof was === 'string' || was === null) continue;
    const is = toJsonValue(was, `${path}.${key}`, depth + 1);
    if (is !== was) setMember((copy ??= { ...value } as JsonObject), key, is);
  }
  return copy ?? (value as JsonObject);
}

/** An assignment to `__proto__` would change what the object is, and lose the member. */
function setMember(object: JsonObject, name: string, value: JsonValue): void {
  if (name !== '__proto__') object[name] = value;
  else
    Object.defineProperty(object, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
}

function fromBigInt(value: bigint, path: string): number {
  if (isExact(String(value))) return Number(value);
  throw refuse(path, `the integer ${value} would be rounded; beyond ±2^53 send it as text`);
}

function refuse(path: string, why: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', `${path}: ${why}`);
}
