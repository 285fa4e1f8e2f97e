/**
 * MeadowProxy.Request: table endpoints answered in this process, behind the path allowlist. There
 * is no loopback HTTP.
 */
import type { ProxyOutputs, UpdateProxyConfigOutputs } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { AuditNote } from '../gateway/audit.ts';
import { bounds } from '../bounds.ts';
import type { Connections } from '../databases/connections.ts';
import { answerTarget, targetOf } from '../endpoints/endpoint-target.ts';
import {
  defaultPattern,
  type PathPattern,
  patternAt,
  readablePatterns,
} from '../endpoints/path-pattern.ts';
import { parseBody, rowsIn, toOutputs } from './proxy-body.ts';
import { booleanAt, integerAt, listAt, refuse, type Settings } from '../settings.ts';
import type { BeaconState, ProxyConfig } from '../databases/state.ts';
import { isReading } from '../endpoints/table-routes.ts';

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

  /** @param onBadPattern hears of what an older version kept and is no pattern today */
  constructor(
    state: BeaconState,
    connections: Connections,
    clock: Clock,
    mayWrite: boolean,
    onBadPattern?: (pattern: string, reason: string) => void,
  ) {
    this.#state = state;
    this.#connections = connections;
    this.#clock = clock;
    this.#mayWrite = mayWrite;
    this.#config = state.proxyConfig() ?? {
      patterns: [defaultPattern],
      allowWrites: true,
      bodyBytesMax: limits.bodyBytesMax,
      requestMs: limits.bootstrapStepMs,
    };
    this.#patterns = readablePatterns(this.#config.patterns, onBadPattern);
  }

  get allowWrites(): boolean {
    return this.#mayWrite && this.#config.allowWrites;
  }

  /**
   * Any status is a successful request.
   * @throws TidemarkError INVALID_MESSAGE when it is not let through, TOO_LARGE, UNAVAILABLE when
   * it takes too long
   */
  async request(
    settings: Settings,
    timeoutMs: number,
    tell: Tell = () => undefined,
    hub: string | null = null,
  ): Promise<ProxyOutputs> {
    const { Method: method, Path: path } = settings;
    if (typeof method !== 'string' || method === '')
      throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Method is required.');
    if (typeof path !== 'string' || path === '')
      throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: Path is required.');
    const verb = method.toUpperCase();
    const target = path.length <= bounds.pathCharsMax ? targetOf(this.#connections, path) : null;
    const note: AuditNote = {
      connection: target?.connection.id ?? 0,
      table: target?.name ?? '',
      detail: `${verb.slice(0, 20)} ${path.slice(0, bounds.auditDetailCharsMax)}`,
    };
    try {
      if (path.length > bounds.pathCharsMax)
        throw new TidemarkError(
          'TOO_LARGE',
          `MeadowProxy: the path has ${path.length} characters, at most ${bounds.pathCharsMax}`,
        );
      const mayWrite = !isReading(verb, path);
      if (mayWrite && !this.allowWrites)
        throw new TidemarkError(
          'INVALID_MESSAGE',
          'MeadowProxy: writes are disabled on this beacon.',
        );
      if (!this.#patterns.some((matches) => matches(path)))
        throw new TidemarkError('INVALID_MESSAGE', 'MeadowProxy: path is not in the allowlist.');
      const answer = await this.#inTime(
        answerTarget(target, {
          verb,
          mayWrite,
          body: () => parseBody(settings['Body'], this.#config.bodyBytesMax),
          now: isoOf(this.#clock.nowMs()),
          hub,
        }),
        Math.min(timeoutMs, this.#config.requestMs),
      );
      Object.assign(note, { outcome: String(answer.status), count: rowsIn(answer) });
      return toOutputs(verb === 'HEAD' ? { ...answer, body: undefined } : answer);
    } finally {
      tell(note);
    }
  }

  #inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
    return withDeadline(work, this.#clock, timeoutMs, () => {
      throw new TidemarkError('UNAVAILABLE', `MeadowProxy: no answer within ${timeoutMs} ms`);
    });
  }

  /**
   * Extends the allowlist and sets the rest; kept over restarts.
   * @throws TidemarkError INVALID_MESSAGE for what is no pattern
   */
  updateConfig(settings: Settings): UpdateProxyConfigOutputs {
    const patterns = listAt(
      settings['PathAllowlist'] ?? [],
      'Settings.PathAllowlist',
      bounds.patternsMax,
    ).map((pattern, at) => patternAt(pattern, `Settings.PathAllowlist[${at}]`));
    const fresh = [...new Set(patterns)].filter(
      (pattern) => !this.#config.patterns.includes(pattern),
    );
    const all = [...this.#config.patterns, ...fresh];
    if (all.length > bounds.patternsMax)
      throw refuse(
        'Settings.PathAllowlist',
        `at most ${bounds.patternsMax} patterns in all`,
        `${all.length}`,
      );
    const config: ProxyConfig = {
      patterns: all,
      allowWrites: booleanAt(settings, 'AllowWrites') ?? this.#config.allowWrites,
      bodyBytesMax: integerAt(
        settings,
        'BodyBytesMax',
        1,
        limits.bodyBytesMax,
        this.#config.bodyBytesMax,
      ),
      requestMs: integerAt(
        settings,
        'RequestTimeoutMs',
        1,
        limits.bootstrapStepMs,
        this.#config.requestMs,
      ),
    };
    if (JSON.stringify(config) !== JSON.stringify(this.#config)) {
      this.#state.putProxyConfig(config);
      this.#config = config;
      this.#patterns = readablePatterns(all);
    }
    return {
      Success: true,
      PatternsAdded: fresh.length,
      ActiveConfig: {
        AllowWrites: this.allowWrites,
        PathAllowlist: all,
        BodyBytesMax: config.bodyBytesMax,
        RequestTimeoutMs: config.requestMs,
      },
    };
  }
}
