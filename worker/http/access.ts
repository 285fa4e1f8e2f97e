/**
 * The access check of the operators' HTTP: adds security headers to every answer, decides who may
 * make a call, and records each call that would change something.
 */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';
import { HttpAccess, type HttpAddress, type HttpSettings } from '../../runtime/http/http-access.ts';
import { type OperatorCall, type OperatorLog, outcomeOf } from '../operators/operator-log.ts';
import { notedOf } from './noted.ts';

/** Nothing from other origins, nothing inline, no embedding in frames. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const always: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
};
const unlessSet: Readonly<Record<string, string>> = {
  'Content-Security-Policy': contentSecurityPolicy,
  'Cache-Control': 'no-store',
};

/**
 * Must be mounted before all routes. `operators` records changing calls; null while there is
 * no store.
 * @throws TidemarkError CONFIG_INVALID for tokens that cannot be distinguished
 */
export function addAccess(
  app: Hono,
  address: HttpAddress,
  { settings, operators }: { settings: HttpSettings; operators: OperatorLog | null },
): void {
  addSecurityHeaders(app);
  addGate(app, new HttpAccess(address, settings, () => systemClock.monotonicMs()), operators);
  app.use(
    bodyLimit({
      maxSize: limits.httpBodyBytesMax,
      onError: (context) =>
        context.json(toRefusal(new TidemarkError('TOO_LARGE', 'body: too large')), 413),
    }),
  );
}

/** Mounted first, so that refusals and errors carry the headers too. */
function addSecurityHeaders(app: Hono): void {
  app.use(async (context, next) => {
    await next();
    const { headers } = context.res;
    for (const [name, value] of Object.entries(always)) headers.set(name, value);
    for (const [name, value] of Object.entries(unlessSet))
      if (!headers.has(name)) headers.set(name, value);
  });
}

function addGate(app: Hono, access: HttpAccess, operators: OperatorLog | null): void {
  app.use(async (context, next) => {
    const isChanging = !isReading(context.req.method);
    const verdict = access.check({
      isChanging,
      isPublic: isPublic(context.req.path),
      remote: remoteOf(context),
      header: (name) => context.req.header(name),
    });
    const noted = notedOf(context);
    if (!verdict.isAdmitted) {
      const { status, body, headers, caller, isNoted } = verdict;
      if (isChanging && isNoted)
        operators?.note(callOf(context, caller?.name ?? 'nobody'), outcomeOf(status), body.Reason);
      return context.json(body, status, headers);
    }
    noted.caller = verdict.caller;
    await next();
    if (!isChanging) return;
    const { body, reason } = noted;
    const call = callOf(context, verdict.caller?.name ?? 'nobody');
    operators?.note(
      body === undefined ? call : { ...call, detail: body },
      outcomeOf(context.res.status),
      context.error?.message ?? reason ?? null,
    );
  });
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The page itself holds no data, and asks for the token. */
function isPublic(path: string): boolean {
  return path === '/' || path === '/favicon.ico' || path.startsWith('/console/');
}

function remoteOf(context: Context): string {
  return (context.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress ?? '';
}

/** Names the call as the command line does, if it has such a verb. */
function callOf(context: Context, who: string): OperatorCall {
  const { method, path } = context.req;
  const call = { who, via: 'http' } as const;
  const dead = /^\/api\/dead-letters\/(id-)?(\d+)\/(retry|drop)$/.exec(path);
  if (dead)
    return {
      ...call,
      action: `dead-letters ${dead[3]}`,
      detail: { [dead[1] ? 'ID' : 'Seq']: Number(dead[2]) },
    };
  const lab = /^\/api\/lab\/ultravisor-instances\/([^/]+)\/persistence-beacon$/.exec(path);
  if (lab) return { ...call, action: `assign, hub ${lab[1]}` };
  if (path === '/Ultravisor/Persistence/Assign') return { ...call, action: 'assign' };
  return { ...call, action: /^\/api\/([a-z-]+)$/.exec(path)?.[1] ?? `${method} ${path}` };
}
