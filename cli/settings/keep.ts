/** How long and how much of delivered writes the worker keeps, as text: times with a unit, counts. */
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type KeepBounds, usualKeep } from '../../worker/upkeep/keep-bounds.ts';
import type { CapacityBounds } from '../../worker/intake/pressure.ts';
import { boundsArgs, boundsOf, decodeCount } from './bounds.ts';

const unitsMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
};

/** @throws TidemarkError CONFIG_INVALID naming the setting */
export function decodeDuration(name: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([smhd])$/i.exec(text.trim()) ?? [];
  const ms = Math.floor(Number(digits) * (unitsMs[unit.toLowerCase()] ?? Number.NaN));
  if (digits === '' || !Number.isSafeInteger(ms) || ms < 1_000 || ms > limits.keepMsMax)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${name} ${JSON.stringify(text)} is no time from 1s to 3650d: expected a number with s, m, h or d`,
    );
  return ms;
}

type Name = 'retainFor' | 'retainEntries' | 'dedupFor' | 'dedupEntries';

/** @throws TidemarkError CONFIG_INVALID */
function keepOf(value: (name: Name) => string | undefined): KeepBounds {
  const time = (name: Name, otherwise: number) => {
    const text = value(name);
    return text === undefined ? otherwise : decodeDuration(name, text);
  };
  const count = (name: Name, otherwise: number) => {
    const text = value(name);
    return text === undefined ? otherwise : decodeCount(name, text);
  };
  const { retention, dedup } = usualKeep;
  return {
    retention: {
      ms: time('retainFor', retention.ms),
      entries: count('retainEntries', retention.entries),
    },
    dedup: { ms: time('dedupFor', dedup.ms), entries: count('dedupEntries', dedup.entries) },
  };
}

/** What a worker's store may hold, and what it keeps. */
export type StoreSettings = { bounds: CapacityBounds; keep: KeepBounds };

/** @throws TidemarkError CONFIG_INVALID */
export function storeSettings(
  value: (name: Name | 'journalBytesMax' | 'pendingMax' | 'diskFreeMin') => string | undefined,
): StoreSettings {
  return { bounds: boundsOf(value), keep: keepOf(value) };
}

/** The same as arguments, for a worker started as a child. */
export function storeArgs({ bounds, keep }: StoreSettings): string[] {
  return [...boundsArgs(bounds), ...keepArgs(keep)];
}

function keepArgs({ retention, dedup }: KeepBounds): string[] {
  const seconds = (ms: number) => `${ms / 1_000}s`;
  return [
    '--retain-for',
    seconds(retention.ms),
    '--retain-entries',
    String(retention.entries),
    '--dedup-for',
    seconds(dedup.ms),
    '--dedup-entries',
    String(dedup.entries),
  ];
}
