/** About how many bytes a decoded body takes, without writing it out: for bounds of what waits. */
import type { JsonValue } from '../../contracts/json-value.ts';

/**
 * Characters of its texts and names, and eight for anything else. Never much more than its JSON.
 */
export function bytesOf(value: JsonValue): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  let bytes = 2;
  if (Array.isArray(value)) for (const one of value) bytes += bytesOf(one);
  else for (const name in value) bytes += name.length + 4 + bytesOf(value[name] as JsonValue);
  return bytes;
}
