/**
 * Patterns of the proxy's allowlist: regular expressions that anybody on the mesh may add, so they
 * are anchored and must not be slow.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import { refuse } from '../settings.ts';

/**
 * Paths of connections. Their first part is lower case, so it cannot name a table of the beacon
 * itself.
 */
export const defaultPattern = String.raw`^/?1\.0/[a-z0-9][a-z0-9-]{0,63}/`;

export type PathPattern = (path: string) => boolean;

/**
 * Anchors a pattern at the start of the path and at the end of one of its parts: `/1.0/a/Item`
 * opens `/1.0/a/Items/7`, but neither `/x/1.0/a/Item` nor `/1.0/a/ItemSecret`. Only the head of a
 * path, which holds connection and table, is matched.
 */
export function toPathPattern(source: string): PathPattern {
  const pattern = new RegExp(
    String.raw`^(?:${source})(?:(?<=/)|(?=s?(?:[/?]|$))|(?=Select(?:[/?]|$)))`,
  );
  return (path) => pattern.test(path.slice(0, bounds.patternHeadChars));
}

/**
 * @throws TidemarkError INVALID_MESSAGE for an invalid regular expression, or one that could take
 * too long
 */
export function patternAt(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '' || value.length > bounds.patternCharsMax) {
    throw refuse(path, `a regular expression of 1 to ${bounds.patternCharsMax} characters`, value);
  }
  if (!isRegular(value)) throw refuse(path, 'a regular expression', value);
  const problem = slowPartOf(value);
  if (problem !== null)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `${path}: ${problem}, which could take very long on some paths; simplify it`,
    );
  return value;
}

/** Valid both by itself and when anchored: `)|(` would become valid only by anchoring. */
function isRegular(source: string): boolean {
  try {
    return new RegExp(source) instanceof RegExp && typeof toPathPattern(source) === 'function';
  } catch {
    return false;
  }
}

/**
 * What makes a backtracking matcher slow: repeated groups, back references, lookaround, and many
 * repetitions or choices.
 */
function slowPartOf(source: string): string | null {
  const bare = source.replace(/\\[^1-9k]/g, 'x').replace(/\[(?:\\.|[^\]\\])*\]/g, 'x');
  if (/\)[*+{]/.test(bare)) return 'it repeats a group';
  if (/\\[1-9k]/.test(bare)) return 'it refers to a group';
  if (/\(\?<?[=!]/.test(bare)) return 'it looks ahead or behind';
  const repeats = bare.match(/[*+{]/g)?.length ?? 0;
  if (repeats > bounds.patternRepeatsMax)
    return `it has ${repeats} repetitions, more than ${bounds.patternRepeatsMax}`;
  const choices = bare.match(/\||(?<!\()\?/g)?.length ?? 0;
  return choices > bounds.patternChoicesMax
    ? `it has ${choices} choices, more than ${bounds.patternChoicesMax}`
    : null;
}
