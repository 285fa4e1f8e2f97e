/** Parses the bounds an operator may set: sizes with a unit, and counts. */
import { TidemarkError } from '../../contracts/errors.ts';
import { type CapacityBounds, usualBounds } from '../../worker/intake/pressure.ts';

const units: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/**
 * Parses a number of bytes, with an optional K, M, G or T.
 * @throws TidemarkError CONFIG_INVALID naming the setting
 */
export function decodeBytes(name: string, text: string): number {
  const [, digits = '', unit = ''] =
    /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(digits) * (units[unit.toUpperCase()] ?? Number.NaN));
  if (digits === '' || !Number.isSafeInteger(bytes))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${name} ${JSON.stringify(text)} is not a size: expected bytes, or a number with K, M, G or T`,
    );
  return bytes;
}

/** @throws TidemarkError CONFIG_INVALID naming the setting */
export function decodeCount(name: string, text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < 1)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${name} ${JSON.stringify(text)} is not an integer of at least 1`,
    );
  return count;
}

/**
 * The journal needs at least 16 MiB; a worker could not even start with less.
 * @throws TidemarkError CONFIG_INVALID
 */
export function boundsOf(
  value: (name: 'journalBytesMax' | 'pendingMax' | 'diskFreeMin') => string | undefined,
): CapacityBounds {
  const [bytes, pending, free] = [
    value('journalBytesMax'),
    value('pendingMax'),
    value('diskFreeMin'),
  ];
  const journalBytesMax =
    bytes === undefined ? usualBounds.journalBytesMax : decodeBytes('journalBytesMax', bytes);
  if (journalBytesMax < 16 * 1024 ** 2)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `journalBytesMax ${JSON.stringify(bytes)} is less than 16M`,
    );
  return {
    journalBytesMax,
    pendingMax: pending === undefined ? usualBounds.pendingMax : decodeCount('pendingMax', pending),
    diskFreeMin: free === undefined ? null : decodeBytes('diskFreeMin', free),
  };
}

/** The same as arguments, for a worker started as a child process. */
export function boundsArgs({ journalBytesMax, pendingMax, diskFreeMin }: CapacityBounds): string[] {
  return [
    '--journal-bytes-max',
    String(journalBytesMax),
    '--pending-max',
    String(pendingMax),
    ...(diskFreeMin === null ? [] : ['--disk-free-min', String(diskFreeMin)]),
  ];
}
