/** Bodies and parameters in and errors out: what every route does the same way. */
import { type Static, type TObject } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import type { Context, Hono } from 'hono';
import { refusalStatus, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { notedOf } from './noted.ts';

const checks = new WeakMap<TObject, TypeCheck<TObject>>();

/** The JSON object a call carries. @throws TidemarkError INVALID_MESSAGE naming the field */
export async function bodyOf<Schema extends TObject>(
  context: Context,
  schema: Schema,
): Promise<JsonObject & Static<Schema>> {
  return checked(schema, await jsonOf(context)) as JsonObject & Static<Schema>;
}

/** What stands in the path. @throws TidemarkError INVALID_MESSAGE naming the parameter */
export function paramsOf<Schema extends TObject>(context: Context, schema: Schema): Static<Schema> {
  return checked(schema, context.req.param()) as Static<Schema>;
}

/**
 * What stands behind the question mark.
 * @throws TidemarkError INVALID_MESSAGE naming the parameter
 */
export function queryOf<Schema extends TObject>(context: Context, schema: Schema): Static<Schema> {
  return checked(schema, context.req.query()) as Static<Schema>;
}

async function jsonOf(context: Context): Promise<JsonObject> {
  try {
    const body: unknown = await context.req.json();
    if (isJsonObject(body)) return (notedOf(context).body = body);
  } catch (cause) {
    throw new TidemarkError('INVALID_MESSAGE', 'body: not readable as JSON', { cause });
  }
  throw new TidemarkError('INVALID_MESSAGE', 'body: expected an object');
}

function checked(schema: TObject, value: object): object {
  const check = checks.get(schema) ?? TypeCompiler.Compile(schema);
  checks.set(schema, check);
  const wrong = check.Errors(value).First();
  if (!wrong) return value;
  const field = wrong.path.slice(1).replaceAll('/', '.') || 'body';
  throw new TidemarkError(
    'INVALID_MESSAGE',
    `${field}: expected ${wrong.schema.description ?? String(wrong.schema['type'] ?? 'something else')}`,
  );
}

/** A thrown error becomes the refusal of its code; an unknown path one that names it. */
export function addErrors(app: Hono): void {
  app.onError((error, context) => {
    const refusal = toRefusal(error);
    return context.json(refusal, refusalStatus[refusal.Code]);
  });
  app.notFound((context) =>
    context.json(
      {
        Success: false,
        Code: 'NOT_FOUND',
        Reason: `there is no ${context.req.method} ${context.req.path}`,
      },
      404,
    ),
  );
}
