/** What the handler of a changing call hands over to the operators' log. */
import type { Context } from 'hono';
import type { Caller } from '../../runtime/http/http-tokens.ts';

export type Noted = { caller: Caller | null; body?: unknown; reason?: string };

const notes = new WeakMap<Context, Noted>();

/** Who made the call; null where nobody had to identify themselves. */
export function callerOf(context: Context): Caller | null {
  return notes.get(context)?.caller ?? null;
}

export function notedOf(context: Context): Noted {
  const found = notes.get(context);
  if (found) return found;
  const made: Noted = { caller: null };
  notes.set(context, made);
  return made;
}
