/**
 * Patterns of the proxy's allowlist: regular expressions that anybody on the mesh may add, so that
 * they are anchored and cannot take long.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import { refuse } from '../settings.ts';

/**
 * Paths of connections: their first part is lower case, so that nothing of the beacon itself could
 * be meant.
 */
export const defaultPattern = String.raw`^/?1\.0/[a-z0-9][a-z0-9-]{0,63}/`;

export type PathPattern = (path: string) => boolean;

/**
 * Anchored on both sides: at the start of the path, and where a part of it ends, so that
 * `/1.0/a/Item` opens `/1.0/a/Items/7` and neither `/x/1.0/a/Item` nor `/1.0/a/ItemSecret`. Only
 * the head of a path is looked at, which holds connection and table.
 */
export function toPathPattern(source: string): PathPattern {
  const pattern = new RegExp(
    String.raw`^(?:${source})(?:(?<=/)|(?=s?(?:[/?]|$))|(?=Select(?:[/?]|$)))`,
  );
  return (path) => pattern.test(path.slice(0, bounds.patternHeadChars));
}

/**
 * @throws TidemarkError INVALID_MESSAGE for what is no regular expression, or one that could take
 * for ever
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
      `${path}: ${problem}, which could take very long on some paths; write it simpler`,
    );
  return value;
}

/** On its own and with what is put around it: `)|(` must not become valid by that. */
function isRegular(source: string): boolean {
  try {
    return new RegExp(source) instanceof RegExp && typeof toPathPattern(source) === 'function';
  } catch {
    return false;
  }
}

/**
 * What makes a backtracking matcher try again and again: repeated groups, references, and many
 * choices one after the other.
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
