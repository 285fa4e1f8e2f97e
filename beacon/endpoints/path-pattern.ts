/**
 * Patterns of the proxy's allowlist: regular expressions that anybody on the mesh may add. So they
 * are anchored, and matched by a matcher of our own that never backtracks.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import { refuse } from '../settings.ts';
import { programOf, type Step } from './pattern-program.ts';

/**
 * Paths of connections. Their first part is lower case, so it cannot name a table of the beacon
 * itself.
 */
export const defaultPattern = String.raw`^/?1\.0/[a-z0-9][a-z0-9-]{0,63}/`;

export type PathPattern = (path: string) => boolean;

/** What may follow a match that does not end with a slash: the end of this part of the path. */
const partEnd = /^(?:s|Select)?(?:[/?]|$)/;

/**
 * Anchors a pattern at the start of the path and at the end of one of its parts: `/1.0/a/Item`
 * opens `/1.0/a/Items/7`, but neither `/x/1.0/a/Item` nor `/1.0/a/ItemSecret`. Only the head of a
 * path, which holds connection and table, is matched.
 * @throws TidemarkError INVALID_MESSAGE for an invalid pattern
 */
export function toPathPattern(source: string): PathPattern {
  const steps = programOf(source);
  return (path) => matches(steps, path.slice(0, bounds.patternHeadChars));
}

/**
 * The patterns that can be matched. The others match nothing and are passed to `onBad`: an older
 * version may have stored what is refused today.
 */
export function readablePatterns(
  sources: readonly string[],
  onBad: (source: string, reason: string) => void = () => undefined,
): PathPattern[] {
  return sources.flatMap((source) => {
    try {
      return [toPathPattern(source)];
    } catch (error) {
      onBad(source, messageOf(error));
      return [];
    }
  });
}

/** @throws TidemarkError INVALID_MESSAGE for an invalid or too complex regular expression */
export function patternAt(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '' || value.length > bounds.patternCharsMax) {
    throw refuse(path, `a regular expression of 1 to ${bounds.patternCharsMax} characters`, value);
  }
  try {
    programOf(value);
  } catch (cause) {
    throw new TidemarkError('INVALID_MESSAGE', `${path}: ${messageOf(cause)}; simplify it`, {
      cause,
    });
  }
  return value;
}

/** Follows all paths through the steps in parallel, one character of the text at a time. */
function matches(steps: readonly Step[], text: string): boolean {
  const seenAt = new Int32Array(steps.length).fill(-1);
  let active: number[] = [];
  let following: number[] = [];
  let isDone = false;
  const follow = (step: number, at: number): void => {
    if (seenAt[step] === at) return;
    seenAt[step] = at;
    const todo = steps[step] as Step;
    if (todo.do === 'jump') follow(todo.to, at);
    else if (todo.do === 'fork') {
      follow(todo.to, at);
      follow(todo.or, at);
    } else if (todo.do === 'take') following.push(step);
    else if (todo.do === 'done') isDone = true;
    else if (todo.do === 'start' ? at === 0 : at === text.length) follow(step + 1, at);
  };
  follow(0, 0);
  for (let at = 0; ; at += 1) {
    if (isDone && endsPart(text, at)) return true;
    if (at === text.length || following.length === 0) return false;
    [active, following, isDone] = [following, [], false];
    const code = text.charCodeAt(at);
    for (const step of active) {
      const todo = steps[step] as Step;
      if (todo.do === 'take' && todo.holds(code)) follow(step + 1, at + 1);
    }
  }
}

function endsPart(text: string, at: number): boolean {
  return text[at - 1] === '/' || partEnd.test(text.slice(at, at + 7));
}
