/**
 * The table endpoints over HTTP, where an operator switches it on: behind the same allowlist and
 * switches as MeadowProxy.
 */
import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { systemClock } from '../../runtime/clock.ts';
import { HttpAccess, type HttpAddress, type HttpSettings } from '../../runtime/http/http-access.ts';
import type { Caller } from '../../runtime/http/http-tokens.ts';
import { HttpListener } from '../../runtime/http/http-listener.ts';
import type { AuditNote } from '../gateway/audit.ts';
import { bounds } from '../bounds.ts';
import type { BeaconMeter } from '../gateway/meter.ts';
import type { Proxy } from '../capabilities/proxy.ts';
import { DeniedLines } from './denied-lines.ts';
import { isReading } from '../endpoints/table-routes.ts';

export type BeaconHttpOptions = {
  proxy: Pick<Proxy, 'request'>;
  metrics: Pick<BeaconMeter, 'text' | 'contentType'>;
  /** Why requests would fail now; null when they would not. */
  unready: () => Promise<string | null>;
  /** Adds a line to the audit. */
  tell: (user: string, method: string, note: AuditNote) => void;
  /** Tokens, names and certificate. */
  settings: HttpSettings;
};

/** Whose token the call bears; null where nobody had to say. */
type Env = { Bindings: HttpBindings; Variables: { caller: Caller | null } };
type App = Hono<Env>;

/** As it was sent: a URL object would resolve dots that are part of a value. */
function rawPathOf({ url = '/' }: IncomingMessage): string {
  return url;
}

const statusOf: Partial<Record<string, 403 | 413 | 503>> = {
  INVALID_MESSAGE: 403,
  TOO_LARGE: 413,
  UNAVAILABLE: 503,
  OVERLOADED: 503,
};

/** What was not let through has the body of every other error. */
function refused(context: Context, error: unknown): Response {
  const { Code, Reason } = toRefusal(error);
  const status = statusOf[Code] ?? 500;
  return context.json({ Error: Reason, StatusCode: status, Code }, status);
}

/** Who the caller says it acts for: noted beside its own name, never in place of it. */
function actingFor(context: Context): string[] {
  const said = context.req.header('X-Beacon-User');
  return said ? [`for ${JSON.stringify(said.slice(0, limits.remoteUserCharsMax))}`] : [];
}

async function table(context: Context<Env>, { proxy, tell }: BeaconHttpOptions): Promise<Response> {
  const { method } = context.req;
  const isBodied = method !== 'GET' && method !== 'HEAD';
  const body = isBodied ? await context.req.text() : '';
  const user = context.get('caller')?.name ?? 'http';
  const settings = {
    Method: method,
    Path: rawPathOf(context.env.incoming),
    ...(body === '' ? {} : { Body: body }),
  };
  let note: AuditNote = {};
  try {
    const { Status, Headers, Body } = await proxy.request(
      settings,
      limits.bootstrapStepMs,
      (told) => {
        note = told;
      },
    );
    return new Response(method === 'HEAD' ? null : Body, { status: Status, headers: Headers });
  } catch (error) {
    note = { outcome: toRefusal(error).Code, ...note };
    return refused(context, error);
  } finally {
    const detail = [...actingFor(context), ...(note.detail ? [note.detail] : [])].join(' ');
    tell(user, method, { ...note, detail });
  }
}

function addGate(app: App, access: HttpAccess, tell: BeaconHttpOptions['tell']): void {
  const denied = new DeniedLines(tell, systemClock);
  app.use(async (context, next) => {
    const { incoming } = context.env;
    const isChanging = !isReading(context.req.method, rawPathOf(incoming));
    const verdict = access.check({
      isChanging,
      isPublic: false,
      remote: incoming.socket.remoteAddress ?? '',
      header: (name) => context.req.header(name),
    });
    if (verdict.isAdmitted) {
      context.set('caller', verdict.caller);
      await next();
    } else if (verdict.isNoted)
      denied.add(verdict.caller?.name ?? 'nobody', context.req.method, verdict.body.Code);
    const response = verdict.isAdmitted
      ? context.res
      : context.json(verdict.body, verdict.status, verdict.headers);
    response.headers.set('X-Content-Type-Options', 'nosniff');
    response.headers.set('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
    response.headers.set('Referrer-Policy', 'no-referrer');
    response.headers.set('Cache-Control', 'no-store');
    return response;
  });
}

function bodyOfAtMost(maxSize: number): MiddlewareHandler<Env> {
  return bodyLimit({
    maxSize,
    onError: (context) =>
      refused(context, new TidemarkError('TOO_LARGE', `the body has more than ${maxSize} bytes`)),
  });
}

function appOf(parts: BeaconHttpOptions, access: HttpAccess): App {
  const app: App = new Hono();
  addGate(app, access, parts.tell);
  const ofToken = bodyOfAtMost(limits.bodyBytesMax);
  const ofAnyone = bodyOfAtMost(limits.httpBodyBytesMax);
  app.use((context, next) => (context.get('caller') ? ofToken : ofAnyone)(context, next));
  app.get('/livez', (context) => context.text('ok'));
  app.get('/readyz', async (context) => {
    const reason = await parts.unready();
    return reason === null ? context.text('ok') : context.text(reason, 503);
  });
  app.get('/metrics', async (context) =>
    context.body(await parts.metrics.text(), 200, { 'Content-Type': parts.metrics.contentType }),
  );
  app.all('/1.0/*', (context) => table(context, parts));
  app.onError((error, context) => refused(context, error));
  app.notFound((context) =>
    context.json({ Error: 'there is no such route', StatusCode: 404, Code: 'NOT_FOUND' }, 404),
  );
  return app;
}

/** @throws TidemarkError CONFIG_INVALID when the address cannot be bound */
export function listenForTables(
  address: HttpAddress,
  parts: BeaconHttpOptions,
): Promise<HttpListener> {
  const { settings } = parts;
  const app = appOf(parts, new HttpAccess(address, settings, () => systemClock.monotonicMs()));
  return HttpListener.start(address, settings, app, {
    requestTimeout: limits.bootstrapStepMs,
    maxHeaderSize: bounds.pathCharsMax + bounds.httpHeaderBytes,
  });
}
