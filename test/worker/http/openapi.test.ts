/**
 * The OpenAPI document: valid, whole, current, and true of a running worker: its answers, and what
 * it refuses.
 */
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { plainHttp } from '../../../runtime/http/http-access.ts';
import { openApiDocument, openPath } from '../../../worker/http/openapi.ts';
import { appOf } from '../../../worker/http/server.ts';
import { openApiPath, openApiText } from '../../../scripts/write-openapi.ts';

type Operation = {
  security: object[];
  responses: Record<string, { content: Record<string, { schema: object }> }>;
  requestBody?: object;
};
type Document = { paths: Record<string, Record<string, Operation>>; components: object };

const document = openApiDocument('0') as unknown as Document;
const told = Object.entries(document.paths)
  .flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  .toSorted();

test('docs/openapi.json is what `npm run openapi` would write', () => {
  expect(readFileSync(openApiPath, 'utf8')).toBe(openApiText());
});

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document) as never);
  expect(errors).toBeUndefined();
  expect([valid, validator.version]).toEqual([true, '3.1']);
});

test('every route of the app is in it, and none more', () => {
  const app = appOf({ host: '127.0.0.1', port: 0 }, {
    settings: plainHttp,
    operators: null,
    version: '0',
  } as never);
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(
      ({ method, path }) =>
        `${method} ${openPath(path).replace(/^\/console\/.+/, '/console/{file}')}`,
    );
  expect(told).toEqual([...new Set(routes)].toSorted());
});

test('changing calls say that they need a token', () => {
  const open = Object.entries(document.paths).flatMap(([path, { post }]) =>
    post && JSON.stringify(post.security) !== '[{"bearer":[]}]' ? [path] : [],
  );
  expect(open).toEqual([]);
});
