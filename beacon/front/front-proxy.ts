/**
 * MeadowProxy.Request for a fronted server. It applies our own allowlist, because the server's HTTP
 * has none, and never reaches the server's own tables.
 */
import type { ProxyOutputs, UpdateProxyConfigOutputs } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { bounds } from '../bounds.ts';
import type { RequestContext } from '../gateway/request.ts';
import {
  defaultPattern,
  type PathPattern,
  patternAt,
  toPathPattern,
} from '../endpoints/path-pattern.ts';
import { booleanAt, integerAt, listAt, refuse, type Settings } from '../settings.ts';
import { isReading } from '../endpoints/table-routes.ts';
import type { FrontClient } from './front-client.ts';
import { connectionPath } from './front-tables.ts';

export class FrontProxy {
  readonly #client: FrontClient;
  readonly #mayWrite: boolean;
  /**
   * Kept in memory: every worker sends its own at each bootstrap, and a new start makes them
   * bootstrap again.
   */
  readonly #patterns = new Map<string, PathPattern>([[defaultPattern, connectionPath]]);
  #allowWrites = true;
  #requestMs: number = limits.bootstrapStepMs;
  #bodyBytesMax: number = limits.bodyBytesMax;

  constructor(client: FrontClient, mayWrite: boolean) {
    this.#client = client;
    this.#mayWrite = mayWrite;
  }

  get allowWrites(): boolean {
    return this.#mayWrite && this.#allowWrites;
  }

  /**
   * Forwards a request; any status is a success.
   * @throws TidemarkError INVALID_MESSAGE when it is not allowed, TOO_LARGE, UNAVAILABLE without an
   * answer
   */
  async request(settings: Settings, context: RequestContext): Promise<ProxyOutputs> {
    const { Method: method, Path: path, Body: body, RemoteUser: user, Session: session } = settings;
    if (typeof method !== 'string' || !/^[A-Za-z]{1,20}$/.test(method))
      throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Method is required.');
    if (typeof path !== 'string' || path === '')
      throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Path is required.');
    if (path.length > bounds.pathCharsMax)
      throw new TidemarkError(
        'TOO_LARGE',
        `MeadowProxy: the path has ${path.length} characters, at most ${bounds.pathCharsMax}`,
      );
    const verb = method.toUpperCase();
    const who = typeof user === 'string' && user !== '' ? user : context.remoteUser;
    context.audit({ user: who, detail: `${verb} ${path.slice(0, bounds.auditDetailCharsMax)}` });
    // Undelete is a GET that writes.
    if (!isReading(verb, path) && !this.allowWrites)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        'MeadowProxy: writes are disabled on this beacon.',
      );
    if (!connectionPath(path) || !this.#opens(path))
      throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: path is not in the allowlist.');
    const isBodied = verb !== 'GET' && verb !== 'HEAD' && body !== undefined && body !== null;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    if (isBodied && Buffer.byteLength(text) > this.#bodyBytesMax)
      throw new TidemarkError('TOO_LARGE', `the body has more than ${this.#bodyBytesMax} bytes`);
    const reply = await this.#client.call(verb, path, {
      user: who,
      timeoutMs: Math.min(context.timeoutMs, this.#requestMs),
      ...(isBodied ? { body: text } : {}),
      ...(session === undefined
        ? {}
        : { session: typeof session === 'string' ? session : JSON.stringify(session) }),
    });
    return { Status: reply.status, Headers: reply.headers, Body: reply.text };
  }

  #opens(path: string): boolean {
    return [...this.#patterns.values()].some((matches) => matches(path));
  }

  /**
   * Same behaviour as our own databeacon.
   * @throws TidemarkError INVALID_MESSAGE for an invalid pattern
   */
  updateConfig(settings: Settings): UpdateProxyConfigOutputs {
    const given = listAt(
      settings['PathAllowlist'] ?? [],
      'Settings.PathAllowlist',
      bounds.patternsMax,
    ).map((pattern, at) => patternAt(pattern, `Settings.PathAllowlist[${at}]`));
    const fresh = [...new Set(given)].filter((pattern) => !this.#patterns.has(pattern));
    if (this.#patterns.size + fresh.length > bounds.patternsMax)
      throw refuse(
        'Settings.PathAllowlist',
        `at most ${bounds.patternsMax} patterns in all`,
        fresh.length,
      );
    const allowWrites = booleanAt(settings, 'AllowWrites') ?? this.#allowWrites;
    const bodyBytesMax = integerAt(
      settings,
      'BodyBytesMax',
      1,
      limits.bodyBytesMax,
      this.#bodyBytesMax,
    );
    this.#requestMs = integerAt(
      settings,
      'RequestTimeoutMs',
      1,
      limits.bootstrapStepMs,
      this.#requestMs,
    );
    this.#bodyBytesMax = bodyBytesMax;
    this.#allowWrites = allowWrites;
    for (const pattern of fresh) this.#patterns.set(pattern, toPathPattern(pattern));
    return {
      Success: true,
      PatternsAdded: fresh.length,
      ActiveConfig: {
        AllowWrites: this.allowWrites,
        PathAllowlist: [...this.#patterns.keys()],
        BodyBytesMax: bodyBytesMax,
        RequestTimeoutMs: this.#requestMs,
      },
    };
  }
}
