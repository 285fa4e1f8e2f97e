/** The operators' page at `/`: its files, and the routes that only it needs. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Static } from '@sinclair/typebox';
import type { Hono } from 'hono';
import type { KeyLocations } from '../../contracts/console-answers.ts';
import type { JsonObject } from '../../contracts/json-value.ts';
import type { Control } from '../operators/control.ts';
import type { Fleet } from '../console/fleet.ts';
import type { History } from '../console/history.ts';
import { queryOf } from './answers.ts';
import { addEvents, type EventRouteOptions } from './events.ts';
import { given } from './schemas.ts';

export type ConsoleRouteOptions = {
  control: Control;
  fleet: Fleet;
  history: History;
  locateKey: (key: string, lane: string | undefined) => Promise<KeyLocations>;
} & EventRouteOptions;

/** Beside the sources in a checkout, and beside the build in a package. */
const folder = join(import.meta.dirname, '..', '..', 'console');
const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

type PageFile = { body: string; headers: Record<string, string>; etag: string };

function readPage(): Map<string, PageFile> {
  const names = existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
        Object.hasOwn(contentTypes, extname(name)),
      )
    : [];
  return new Map(
    names.map((name) => {
      const body = readFileSync(join(folder, name), 'utf8');
      const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      return [
        name,
        {
          body,
          etag,
          headers: {
            'Content-Type': contentTypes[extname(name)] ?? '',
            'Cache-Control': 'no-cache',
            ETag: etag,
          },
        },
      ];
    }),
  );
}

/**
 * The page itself. It holds no data, so whoever reaches the worker may have it: without it nobody
 * could type a token.
 */
export function addPage(app: Hono): void {
  const files = readPage();
  for (const [path, name] of [
    ['/', 'index.html'],
    ...[...files.keys()].map((file) => [`/console/${file}`, file]),
  ] as [string, string][]) {
    app.get(path, (context) => {
      const file = files.get(name);
      if (!file) return context.notFound();
      return context.req.header('If-None-Match') === file.etag
        ? context.body(null, 304, file.headers)
        : context.body(file.body, 200, file.headers);
    });
  }
}

export function addConsole(app: Hono, parts: ConsoleRouteOptions): void {
  const { control, fleet, history, locateKey } = parts;
  app.get('/api/fleet', async (context) => context.json({ Workers: await fleet.list() }));
  app.get('/api/history', (context) => context.json(history.view()));
  app.get('/api/locate', async (context) => {
    const { key, lane } = queryOf(context, given.key);
    const found = await locateKey(key, lane);
    return context.json(found, found.Entries.length === 0 ? 404 : 200);
  });
  app.get('/api/dead-letters', (context) =>
    context.json(control.deadLetters(pageAsked(queryOf(context, given.deadLetterPage))) as object),
  );
  addEvents(app, parts);
}

/** Without a page asked for, the list is whole. */
function pageAsked({ after, limit }: Static<typeof given.deadLetterPage>): JsonObject {
  return {
    Verb: 'list',
    ...(after === undefined ? {} : { After: after }),
    ...(limit === undefined ? {} : { Limit: Number(limit) }),
  };
}
