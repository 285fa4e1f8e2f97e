/** Settings of capability requests, checked: each refusal names the path of the field. */
import { TidemarkError } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/body/json-value.ts';

export type Settings = Readonly<Record<string, unknown>>;

export function refuse(path: string, wanted: string, got: unknown): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', `${path}: expected ${wanted}, got ${shown(got)}`);
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string')
    return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
  if (Array.isArray(value)) return 'a list';
  return value !== null && typeof value === 'object' ? 'an object' : String(value);
}

/** A string of 1 to `charsMax` characters. */
export function textAt(
  settings: Settings,
  name: string,
  charsMax: number,
  path = `Settings.${name}`,
): string {
  const value = settings[name];
  if (typeof value === 'string' && value !== '' && value.length <= charsMax) return value;
  throw refuse(path, `a string of 1 to ${charsMax} characters`, value);
}

/** An integer within the bounds; `instead` where it is left out. */
export function integerAt(
  settings: Settings,
  name: string,
  min: number,
  max: number,
  instead?: number,
): number {
  const value = settings[name] ?? instead;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
    return value;
  throw refuse(`Settings.${name}`, `an integer from ${min} to ${max}`, value);
}

/** True, false, or undefined where it is left out. */
export function booleanAt(settings: Settings, name: string): boolean | undefined {
  const value = settings[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  throw refuse(`Settings.${name}`, 'true or false', value);
}

export function objectAt(value: unknown, path: string): Record<string, unknown> {
  if (isJsonObject(value)) return value;
  throw refuse(path, 'an object', value);
}

export function listAt(value: unknown, path: string, itemsMax: number): unknown[] {
  if (Array.isArray(value) && value.length <= itemsMax) return value;
  throw refuse(
    path,
    `a list of at most ${itemsMax}`,
    Array.isArray(value) ? `${value.length} items` : value,
  );
}

/** Number of the connection a request is about. */
export function connectionAt(settings: Settings): number {
  return integerAt(settings, 'IDBeaconConnection', 1, Number.MAX_SAFE_INTEGER);
}
