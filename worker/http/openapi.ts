/**
 * The OpenAPI 3.1 document of the operators' HTTP, generated from the schemas that check the calls.
 */
import type { TObject, TSchema } from '@sinclair/typebox';
import { answered } from './answered.ts';
import { type HttpOperation, operations } from './operations.ts';
import type { Handlers } from './routes.ts';

type Json = { [name: string]: unknown };

const meanings: Readonly<Record<number, string>> = {
  200: 'Done.',
  400: 'A field is wrong; Reason names it.',
  401: 'A token is needed.',
  403: 'Not allowed for this token, host or page.',
  404: 'Not found.',
  409: 'It does not run.',
  413: 'The body is too large.',
  429: 'Too many requests; see Retry-After.',
  502: 'The worker that was asked did not answer; nothing was changed.',
  503: 'Not now; Reason says why.',
};

export function documentHandlers({ version }: { version: string }): Pick<Handlers, 'openapi'> {
  const document = openApiDocument(version);
  return { openapi: ({ context }) => context.json(document) };
}

export function openApiDocument(version: string): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const operation of Object.values(operations))
    (paths[openPath(operation.path)] ??= {})[operation.method] = operationOf(operation, schemas);
  return {
    openapi: '3.1.1',
    info: {
      title: "Tidemark: operators' HTTP",
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Of one worker. Reading on loopback needs no token; a changing call needs one that ' +
        'may operate, and beyond loopback every call needs one. Each changing call is noted ' +
        'with its name.',
    },
    servers: [{ url: '/' }],
    tags: ['page', 'probes', 'persistence', 'look', 'act', 'lab'].map((name) => ({ name })),
    paths,
    components: { schemas, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  };
}

/** `/a/:id/:verb{x|y}` as `/a/{id}/{verb}`. */
export function openPath(path: string): string {
  return path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
}

function operationOf(
  { method, path, tag, summary, params, query, body, answers }: HttpOperation,
  schemas: Json,
): Json {
  const parameters = [
    ...parametersOf('path', params, schemas),
    ...parametersOf('query', query, schemas),
  ];
  const always = { 401: answered.refusal, 403: answered.refusal, 429: answered.refusal };
  return {
    operationId: `${method}${openPath(path)
      .split(/\W+/)
      .filter((word) => word !== '')
      .map((word) => word[0]?.toUpperCase() + word.slice(1))
      .join('')}`,
    tags: [tag],
    summary,
    security: method === 'get' ? [{}, { bearer: [] }] : [{ bearer: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: hoisted(body, schemas) } },
          },
        }
      : {}),
    responses: Object.fromEntries(
      Object.entries({ ...always, ...answers }).map(([status, answer]) => [
        status,
        {
          description: meanings[Number(status)] ?? '',
          content:
            typeof answer === 'string'
              ? { [answer]: { schema: { type: 'string' } } }
              : { 'application/json': { schema: hoisted(answer, schemas) } },
        },
      ]),
    ),
  };
}

function parametersOf(where: 'path' | 'query', object: TObject | undefined, schemas: Json): Json[] {
  return Object.entries(object?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: where,
    required: where === 'path',
    description: schema.description,
    schema: hoisted(schema, schemas),
  }));
}

/** A plain copy of a schema; named schemas move to the components and are referred to. */
function hoisted(schema: TSchema, schemas: Json): unknown {
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy);
    if (typeof value !== 'object' || value === null) return value;
    const { $id, ...rest } = value as Json;
    const plain = Object.fromEntries(Object.entries(rest).map(([name, one]) => [name, copy(one)]));
    if (typeof $id !== 'string') return plain;
    schemas[$id] = plain;
    return { $ref: `#/components/schemas/${$id}` };
  };
  return copy(schema);
}
