/** Converts stored values (see `toStored`) to the form that each engine's columns accept. */
import type { Scalar } from '../../contracts/schema.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { ColumnInfo, EngineKind } from '../engine/engine.ts';
import { jsonWithoutNul, withoutNul } from './nul.ts';

/** Encodes a value as a parameter for a column. On our side dates are ISO-8601 text in UTC. */
export function encode(
  kind: EngineKind,
  value: Scalar,
  column: Pick<ColumnInfo, 'family' | 'nativeType'>,
): Scalar {
  if (value === null || kind === 'sqlite') return value;
  if (kind === 'postgresql' && column.family === 'text' && typeof value === 'string')
    return column.nativeType === 'jsonb' ? jsonWithoutNul(value) : withoutNul(value);
  if (column.family === 'boolean')
    return kind === 'postgresql' ? value === 1 || value === true : Number(value);
  if (column.family !== 'date' || typeof value !== 'string') return value;
  if (value === '') return null;
  // MySQL and SQL Server do not parse a time zone.
  return kind === 'postgresql' ? value : value.replace('T', ' ').replace(/Z$/, '');
}

/**
 * Converts a server's date ('2026-01-31 12:00:00.5+00') to ISO-8601 text in UTC; other text is
 * returned unchanged.
 */
export function isoDate(text: string): string {
  const parts = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d)?(?::?(\d\d))?$/.exec(
    text,
  );
  if (!parts) return text;
  const [, day, time, fraction = '', zone = '+00', minutes = '00'] = parts;
  const ms = Date.parse(`${day}T${time}${fraction.slice(0, 4)}${zone}:${minutes}`);
  return Number.isNaN(ms) ? text : isoOf(ms);
}
