/**
 * Values on their way into a database: what `toStored` gives, in the form each engine's columns
 * take.
 */
import type { Scalar } from '../../contracts/schema.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { ColumnInfo, EngineKind } from '../engine/engine.ts';
import { jsonWithoutNul, withoutNul } from './nul.ts';

/** The value as a parameter for that column. Dates are ISO-8601 text on our side, in UTC. */
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
  // MySQL and SQL Server read no zone.
  return kind === 'postgresql' ? value : value.replace('T', ' ').replace(/Z$/, '');
}

/**
 * A date as a server writes it ('2026-01-31 12:00:00.5+00') as ISO-8601 text in UTC; one it cannot
 * be read as stays as it is.
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
