/** The console at `/`: its files, and the calls that only it needs. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Context } from 'hono';
import type { KeyLocations } from '../../contracts/console-answers.ts';
import type { Fleet } from '../console/fleet.ts';
import type { History } from '../console/history.ts';
import type { Handlers } from './routes.ts';

export type ConsoleRouteOptions = {
  fleet: Fleet;
  history: History;
  locateKey: (key: string, lane: string | undefined) => Promise<KeyLocations>;
};

/** Next to the sources in a checkout, and next to the build output in a package. */
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
 * The page itself is served to everybody. It holds no data, and without it nobody could enter a
 * token.
 */
export function pageHandlers(): Pick<Handlers, 'page' | 'pageFile'> {
  const files = readPage();
  const answer = (context: Context, name: string) => {
    const file = files.get(name);
    if (!file) return context.notFound();
    return context.req.header('If-None-Match') === file.etag
      ? context.body(null, 304, file.headers)
      : context.body(file.body, 200, file.headers);
  };
  return {
    page: ({ context }) => answer(context, 'index.html'),
    pageFile: ({ context, params }) => answer(context, params.file),
  };
}

export function consoleHandlers({
  fleet,
  history,
  locateKey,
}: ConsoleRouteOptions): Pick<Handlers, 'fleet' | 'history' | 'locateKey'> {
  return {
    fleet: async ({ context }) => context.json({ Workers: await fleet.list() }),
    history: ({ context }) => context.json(history.view()),
    locateKey: async ({ context, query: { key, lane } }) => {
      const found = await locateKey(key, lane);
      return context.json(found, found.Entries.length === 0 ? 404 : 200);
    },
  };
}
