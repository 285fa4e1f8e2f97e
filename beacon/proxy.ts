/** MeadowProxy.Request: table endpoints answered in this process, behind the path allowlist. There is no loopback HTTP. */
import type { ProxyOutputs, UpdateProxyConfigOutputs } from '../contracts/capability.ts';
import { TidemarkError } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { type Clock, isoOf } from '../runtime/clock.ts';
import { type Answer, failure } from './answer.ts';
import { bounds } from './bounds.ts';
import type { Connections } from './connections.ts';
import { mayHaveEndpoint } from './engine.ts';
import { BadRequest } from './filter.ts';
import { booleanAt, listAt, refuse, type Settings } from './settings.ts';
import type { BeaconState, ProxyConfig } from './state.ts';
import { toTable } from './table.ts';
import { answerRoute } from './table-endpoints.ts';
import { type Form, isReading, routeOf } from './table-routes.ts';

/** Paths of connections: their first part is lower case, so that nothing of the beacon itself could be meant. */
export const defaultPattern = String.raw`^/?1\.0/[a-z0-9][a-z0-9-]{0,63}/`;

const notThere: Answer = { status: 404, body: { Error: 'there is no such route', StatusCode: 404 } };

export class Proxy {
  readonly #state: BeaconState;
  readonly #connections: Connections;
  readonly #clock: Clock;
  /** What the operator allows; a request cannot widen it. */
  readonly #mayWrite: boolean;
  #config: ProxyConfig;
  #patterns: RegExp[];

  constructor(state: BeaconState, connections: Connections, clock: Clock, mayWrite: boolean) {
    this.#state = state;
    this.#connections = connections;
    this.#clock = clock;
    this.#mayWrite = mayWrite;
    this.#config = state.proxyConfig() ?? { patterns: [defaultPattern], allowWrites: true };
    this.#patterns = this.#config.patterns.map(compilePattern);
  }

  get allowWrites(): boolean {
    return this.#mayWrite && this.#config.allowWrites;
  }

  /** Any status is a successful request. @throws TidemarkError INVALID_MESSAGE when it is not let through, TOO_LARGE, UNAVAILABLE when it takes too long */
  async request(settings: Settings, timeoutMs: number): Promise<ProxyOutputs> {
    const { Method: method, Path: path } = settings;
    if (typeof method !== 'string' || method === '') throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Method is required.');
    if (typeof path !== 'string' || path === '') throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Path is required.');
    if (path.length > bounds.pathCharsMax) throw new TidemarkError('TOO_LARGE', `MeadowProxy: the path has ${path.length} characters, at most ${bounds.pathCharsMax}`);
    const verb = method.toUpperCase();
    if (!isReading(verb, path) && !this.allowWrites) throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: writes are disabled on this beacon.');
    if (!this.#patterns.some((pattern) => pattern.test(path))) throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: path is not in the allowlist.');
    const answer = await this.#inTime(this.#answer(verb, path, settings['Body']), timeoutMs);
    return toOutputs(verb === 'HEAD' ? { ...answer, body: undefined } : answer);
  }

  async #inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const cancel = this.#clock.timer(timeoutMs, () => reject(new TidemarkError('UNAVAILABLE', `MeadowProxy: no answer within ${timeoutMs} ms`)));
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
    }
  }

  async #answer(verb: string, path: string, body: unknown): Promise<Answer> {
    try {
      const [, version, routeHash = '', segment = '', ...rest] = (path.startsWith('/') ? path : `/${path}`).replace(/\?.*$/s, '').replace(/\/$/, '').split('/');
      const connection = version === '1.0' ? this.#connections.byRoute(routeHash) : null;
      if (!connection) return notThere;
      const found = tableIn(segment, connection.endpoints);
      if (!found) return notThere;
      const { name, form } = found;
      const route = routeOf(verb, rest, form);
      // Looked up afresh, so that a column added a moment ago can be used.
      const [info] = await connection.engine.introspect([name]);
      if (!info) return notThere;
      const table = toTable(info, connection.defaults.get(name));
      return await answerRoute({ engine: connection.engine, table, now: isoOf(this.#clock.nowMs()) }, route, () => parseBody(body));
    } catch (error) {
      return failure(error);
    }
  }

  /** Extends the allowlist; kept over restarts. @throws TidemarkError INVALID_MESSAGE for what is no pattern */
  updateConfig(settings: Settings): UpdateProxyConfigOutputs {
    const patterns = listAt(settings['PathAllowlist'] ?? [], 'Settings.PathAllowlist', bounds.patternsMax).map(patternAt);
    const fresh = [...new Set(patterns)].filter((pattern) => !this.#config.patterns.includes(pattern));
    const all = [...this.#config.patterns, ...fresh];
    if (all.length > bounds.patternsMax) throw refuse('Settings.PathAllowlist', `at most ${bounds.patternsMax} patterns in all`, `${all.length}`);
    const allowWrites = booleanAt(settings, 'AllowWrites') ?? this.#config.allowWrites;
    if (fresh.length > 0 || allowWrites !== this.#config.allowWrites) {
      const config = { patterns: all, allowWrites };
      this.#state.putProxyConfig(config);
      this.#config = config;
      this.#patterns = all.map(compilePattern);
    }
    return { Success: true, PatternsAdded: fresh.length, ActiveConfig: { AllowWrites: this.allowWrites, PathAllowlist: all } };
  }
}

/** The enabled table a part of the path names, and how; the beacon's own have no endpoint, whoever enabled one. */
function tableIn(segment: string, endpoints: ReadonlySet<string>): { name: string; form: Form } | null {
  const forms: { name: string; form: Form; suffix: string }[] = [
    { name: segment, form: 'one', suffix: '' }, { name: segment.slice(0, -1), form: 'many', suffix: 's' }, { name: segment.slice(0, -6), form: 'select', suffix: 'Select' },
  ];
  return forms.find(({ name, suffix }) => segment.endsWith(suffix) && endpoints.has(name) && mayHaveEndpoint(name)) ?? null;
}

/** Anchored at the start whatever the pattern says, so that `UV` does not let every path with these letters through. */
function compilePattern(source: string): RegExp {
  return new RegExp(`^(?:${source})`);
}

function patternAt(value: unknown, at: number): string {
  const path = `Settings.PathAllowlist[${at}]`;
  if (typeof value !== 'string' || value === '' || value.length > bounds.patternCharsMax) {
    throw refuse(path, `a regular expression of 1 to ${bounds.patternCharsMax} characters`, value);
  }
  try {
    // On its own first: `)|(` must not become valid by what is put around it.
    return compilePattern(new RegExp(value).source) && value;
  } catch {
    throw refuse(path, 'a regular expression', value);
  }
}

/** The body is JSON text; an object is taken as it is. @throws BadRequest */
function parseBody(body: unknown): unknown {
  if (typeof body !== 'string') return body;
  if (body.length > limits.bodyBytesMax) throw new TidemarkError('TOO_LARGE', `the body has ${body.length} characters, at most ${limits.bodyBytesMax}`);
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not readable as JSON');
  }
}

function toOutputs(answer: Answer): ProxyOutputs {
  const body = answer.body === undefined ? '' : JSON.stringify(answer.body);
  if (body.length > bounds.answerBytesMax) {
    return toOutputs(failure(new TidemarkError('TOO_LARGE', `the answer has ${body.length} characters; ask for fewer rows`)));
  }
  return { Status: answer.status, Headers: { 'content-type': 'application/json', ...answer.headers }, Body: body };
}
