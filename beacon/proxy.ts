/** MeadowProxy.Request: table endpoints answered in this process, behind the path allowlist. There is no loopback HTTP. */
import type { ProxyOutputs, UpdateProxyConfigOutputs } from '../contracts/capability.ts';
import { TidemarkError } from '../contracts/errors.ts';
import { limits } from '../contracts/limits.ts';
import { type Clock, isoOf } from '../runtime/clock.ts';
import { type Answer, failure } from './answer.ts';
import type { AuditNote } from './audit.ts';
import { bounds } from './bounds.ts';
import type { Connection, Connections } from './connections.ts';
import { mayHaveEndpoint } from './engine.ts';
import { BadRequest } from './filter.ts';
import { defaultPattern, type PathPattern, patternAt, toPathPattern } from './path-pattern.ts';
import { booleanAt, integerAt, listAt, refuse, type Settings } from './settings.ts';
import type { BeaconState, ProxyConfig } from './state.ts';
import { toTable } from './table.ts';
import { answerRoute } from './table-endpoints.ts';
import { type Form, isReading, routeOf } from './table-routes.ts';

const notThere: Answer = { status: 404, body: { Error: 'there is no such route', StatusCode: 404 } };

/** What the requests of one beacon are told of how they ended, for the audit. */
type Tell = (note: AuditNote) => void;

export class Proxy {
  readonly #state: BeaconState;
  readonly #connections: Connections;
  readonly #clock: Clock;
  /** What the operator allows; a request cannot widen it. */
  readonly #mayWrite: boolean;
  #config: ProxyConfig;
  #patterns: PathPattern[];

  constructor(state: BeaconState, connections: Connections, clock: Clock, mayWrite: boolean) {
    this.#state = state;
    this.#connections = connections;
    this.#clock = clock;
    this.#mayWrite = mayWrite;
    this.#config = state.proxyConfig() ?? { patterns: [defaultPattern], allowWrites: true, bodyBytesMax: limits.bodyBytesMax, requestMs: limits.bootstrapStepMs };
    this.#patterns = this.#config.patterns.map(toPathPattern);
  }

  get allowWrites(): boolean {
    return this.#mayWrite && this.#config.allowWrites;
  }

  /** Any status is a successful request. @throws TidemarkError INVALID_MESSAGE when it is not let through, TOO_LARGE, UNAVAILABLE when it takes too long */
  async request(settings: Settings, timeoutMs: number, tell: Tell = () => undefined): Promise<ProxyOutputs> {
    const { Method: method, Path: path } = settings;
    if (typeof method !== 'string' || method === '') throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Method is required.');
    if (typeof path !== 'string' || path === '') throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Path is required.');
    const verb = method.toUpperCase();
    const target = path.length <= bounds.pathCharsMax ? this.#target(path) : null;
    const note: AuditNote = { connection: target?.connection.id ?? 0, table: target?.name ?? '', detail: `${verb.slice(0, 20)} ${path.slice(0, bounds.auditDetailCharsMax)}` };
    try {
      if (path.length > bounds.pathCharsMax) throw new TidemarkError('TOO_LARGE', `MeadowProxy: the path has ${path.length} characters, at most ${bounds.pathCharsMax}`);
      if (!isReading(verb, path) && !this.allowWrites) throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: writes are disabled on this beacon.');
      if (!this.#patterns.some((matches) => matches(path))) throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: path is not in the allowlist.');
      const answer = await this.#inTime(this.#answer(verb, target, settings['Body']), Math.min(timeoutMs, this.#config.requestMs));
      Object.assign(note, { outcome: String(answer.status), count: rowsIn(answer) });
      return toOutputs(verb === 'HEAD' ? { ...answer, body: undefined } : answer);
    } finally {
      tell(note);
    }
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

  /** What a path means; null when it means nothing. */
  #target(path: string): Target | null {
    const [, version, routeHash = '', segment = '', ...rest] = (path.startsWith('/') ? path : `/${path}`).replace(/\?.*$/s, '').replace(/\/$/, '').split('/');
    const connection = version === '1.0' ? this.#connections.byRoute(routeHash) : null;
    const found = connection && tableIn(segment, connection.endpoints);
    return found ? { connection, rest, ...found } : null;
  }

  async #answer(verb: string, target: Target | null, body: unknown): Promise<Answer> {
    if (!target) return notThere;
    try {
      const { connection, name, form, rest } = target;
      const route = routeOf(verb, rest, form);
      // Looked up afresh, so that a column added a moment ago can be used.
      const [info] = await connection.engine.introspect([name]);
      if (!info) return notThere;
      const table = toTable(info, connection.defaults.get(name));
      return await answerRoute({ engine: connection.engine, table, now: isoOf(this.#clock.nowMs()) }, route, () => parseBody(body, this.#config.bodyBytesMax));
    } catch (error) {
      return failure(error);
    }
  }

  /** Extends the allowlist and sets the rest; kept over restarts. @throws TidemarkError INVALID_MESSAGE for what is no pattern */
  updateConfig(settings: Settings): UpdateProxyConfigOutputs {
    const patterns = listAt(settings['PathAllowlist'] ?? [], 'Settings.PathAllowlist', bounds.patternsMax).map((pattern, at) => patternAt(pattern, `Settings.PathAllowlist[${at}]`));
    const fresh = [...new Set(patterns)].filter((pattern) => !this.#config.patterns.includes(pattern));
    const all = [...this.#config.patterns, ...fresh];
    if (all.length > bounds.patternsMax) throw refuse('Settings.PathAllowlist', `at most ${bounds.patternsMax} patterns in all`, `${all.length}`);
    const config: ProxyConfig = {
      patterns: all,
      allowWrites: booleanAt(settings, 'AllowWrites') ?? this.#config.allowWrites,
      bodyBytesMax: integerAt(settings, 'BodyBytesMax', 1, limits.bodyBytesMax, this.#config.bodyBytesMax),
      requestMs: integerAt(settings, 'RequestTimeoutMs', 1, limits.bootstrapStepMs, this.#config.requestMs),
    };
    if (JSON.stringify(config) !== JSON.stringify(this.#config)) {
      this.#state.putProxyConfig(config);
      this.#config = config;
      this.#patterns = all.map(toPathPattern);
    }
    return {
      Success: true, PatternsAdded: fresh.length,
      ActiveConfig: { AllowWrites: this.allowWrites, PathAllowlist: all, BodyBytesMax: config.bodyBytesMax, RequestTimeoutMs: config.requestMs },
    };
  }
}

type Target = { connection: Connection; name: string; form: Form; rest: string[] };

/** The enabled table a part of the path names, and how; the beacon's own have no endpoint, whoever enabled one. */
function tableIn(segment: string, endpoints: ReadonlySet<string>): { name: string; form: Form } | null {
  const forms: { name: string; form: Form; suffix: string }[] = [
    { name: segment, form: 'one', suffix: '' }, { name: segment.slice(0, -1), form: 'many', suffix: 's' }, { name: segment.slice(0, -6), form: 'select', suffix: 'Select' },
  ];
  const found = forms.find(({ name, suffix }) => segment.endsWith(suffix) && endpoints.has(name) && mayHaveEndpoint(name));
  return found ? { name: found.name, form: found.form } : null;
}

function rowsIn({ status, body }: Answer): number {
  if (status >= 300) return 0;
  return Array.isArray(body) ? body.length : 1;
}

/** The body is JSON text; an object is taken as it is. @throws BadRequest, TidemarkError TOO_LARGE */
function parseBody(body: unknown, bytesMax: number): unknown {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? null);
  const bytes = text.length * 3 <= bytesMax ? 0 : Buffer.byteLength(text);
  if (bytes > bytesMax) throw new TidemarkError('TOO_LARGE', `the body has ${bytes} bytes, at most ${bytesMax}`);
  if (typeof body !== 'string') return body;
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
