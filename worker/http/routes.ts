/**
 * Mounts the operators' HTTP from its list: a call reaches its handler with parameters and a body
 * that are as the list says.
 */
import type { Static, TObject } from '@sinclair/typebox';
import type { Context, Hono } from 'hono';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { bodyOf, paramsOf, queryOf } from './answers.ts';
import { type HttpOperation, type OperationName, operations } from './operations.ts';

type Part = 'params' | 'query' | 'body';
type Taken<Name extends OperationName, What extends Part> =
  (typeof operations)[Name] extends Record<What, infer Schema extends TObject>
    ? Static<Schema> & (What extends 'body' ? JsonObject : unknown)
    : undefined;

/** One call; a part is undefined where the list has no schema for it. */
export type RouteCall<Name extends OperationName> = {
  context: Context;
  params: Taken<Name, 'params'>;
  query: Taken<Name, 'query'>;
  body: Taken<Name, 'body'>;
};

type Answer = Response | Promise<Response>;

export type Handlers = { readonly [Name in OperationName]: (call: RouteCall<Name>) => Answer };

/** In the order of the list, for the first route that fits is taken. */
export function mount(app: Hono, handlers: Partial<Handlers>): void {
  for (const name of Object.keys(operations) as OperationName[]) {
    const handle = handlers[name] as ((call: object) => Answer) | undefined;
    if (!handle) continue;
    const { method, path, params, query, body }: HttpOperation = operations[name];
    app[method](path, async (context) =>
      handle({
        context,
        body: body && (await bodyOf(context, body)),
        params: params && paramsOf(context, params),
        query: query && queryOf(context, query),
      }),
    );
  }
}
