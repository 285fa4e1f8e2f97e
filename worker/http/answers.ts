/** Bodies in and errors out: what every route does the same way. */
import type { Context, Hono } from 'hono';
import { refusalStatus, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/json-value.ts';
import { notedOf } from './noted.ts';

/** The JSON object a call carries. @throws TidemarkError INVALID_MESSAGE */
export async function bodyOf(context: Context): Promise<JsonObject> {
  try {
    const body: unknown = await context.req.json();
    if (isJsonObject(body)) return (notedOf(context).body = body);
  } catch (cause) {
    throw new TidemarkError('INVALID_MESSAGE', 'body: not readable as JSON', { cause });
  }
  throw new TidemarkError('INVALID_MESSAGE', 'body: expected an object');
}

/** A thrown error becomes the refusal of its code; an unknown path one that names it. */
export function addErrors(app: Hono): void {
  app.onError((error, context) => {
    const refusal = toRefusal(error);
    return context.json(refusal, refusalStatus[refusal.Code]);
  });
  app.notFound((context) => context.json({ Success: false, Code: 'NOT_FOUND', Reason: `there is no ${context.req.method} ${context.req.path}` }, 404));
}
