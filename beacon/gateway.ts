/** Every capability request comes through here: decoded, sent to its action, audited, answered. */
import { capabilities, type CapabilityReply } from '../contracts/capability.ts';
import { ChunkAssembler, type ChunkReply } from '../contracts/chunks.ts';
import { decodeBody } from '../contracts/codec.ts';
import { defaultRemoteUser } from '../contracts/envelope.ts';
import { messageOf, TidemarkError } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/json-value.ts';
import { limits } from '../contracts/limits.ts';
import { lastToken } from '../contracts/subjects.ts';
import type { Log } from '../runtime/log.ts';
import { refuse, type Settings } from './settings.ts';

/** What an action is told beside its Settings. `audit` adds a line to the audit trail. */
export type RequestContext = { remoteUser: string; timeoutMs: number; audit(connection: number, detail: string, user?: string): void };
export type ActionHandler = (settings: Settings, context: RequestContext) => unknown;
/** Capability -> action -> handler. */
export type Actions = Record<string, Record<string, ActionHandler>>;
export type Audit = (line: { remoteUser: string; capability: string; action: string; connection: number; detail: string }) => void;

export class Gateway {
  readonly #actions: Actions;
  readonly #audit: Audit;
  readonly #log: Log;
  /** Requests above the bus's limit come in pieces. */
  readonly #chunks: ChunkAssembler;
  #inFlight = 0;
  #isDraining = false;
  #idle: (() => void) | null = null;

  constructor(actions: Actions, audit: Audit, log: Log, nowMs: () => number) {
    this.#chunks = new ChunkAssembler(nowMs);
    this.#actions = actions;
    this.#audit = audit;
    this.#log = log;
  }

  /** Names of the capabilities offered. */
  get capabilities(): string[] {
    return Object.keys(this.#actions);
  }

  /** Answers one request whose subject is `mesh.<BeaconID>.<capability>.<Action>`. @throws TidemarkError, which becomes the refusal */
  async answer(capability: string, subject: string, body: unknown): Promise<CapabilityReply<unknown> | ChunkReply> {
    if (lastToken(subject) !== 'chunk') return this.#run(capability, lastToken(subject), body);
    const taken = this.#chunks.add(body);
    if (!taken.done) return { Success: true, Received: taken.received };
    return this.#run(capability, taken.action, decodeBody(taken.body, taken.headers));
  }

  async #run(capability: string, action: string, body: unknown): Promise<CapabilityReply<unknown>> {
    if (this.#isDraining) throw new TidemarkError('UNAVAILABLE', 'the beacon is draining', { retryAfterMs: limits.unavailableRetryMs });
    this.#inFlight += 1;
    try {
      const handler = Object.hasOwn(this.#actions, capability) && this.#handler(capability, action);
      if (!handler) throw new TidemarkError('INVALID_MESSAGE', `${capability}: ${whyNot(capability)}`);
      const { settings, context } = this.#decode(capability, action, body);
      return { Outputs: await handler(settings, context) };
    } finally {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#idle?.();
    }
  }

  #handler(capability: string, action: string): ActionHandler {
    const actions = this.#actions[capability] ?? {};
    const handler = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (!handler) throw new TidemarkError('INVALID_MESSAGE', `${capability}: unknown action ${action}; there are ${Object.keys(actions).join(', ')}`);
    return handler;
  }

  #decode(capability: string, action: string, body: unknown): { settings: Settings; context: RequestContext } {
    if (!isJsonObject(body)) throw refuse('body', 'an object with Settings', body);
    const settings = body['Settings'] ?? {};
    if (!isJsonObject(settings)) throw refuse('Settings', 'an object', settings);
    const { RemoteUser: user, TimeoutMs: timeoutMs = limits.capabilityMs } = body;
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1)) throw refuse('TimeoutMs', 'milliseconds of at least 1', timeoutMs);
    const remoteUser = typeof user === 'string' && user !== '' ? user : defaultRemoteUser;
    const context: RequestContext = {
      remoteUser,
      timeoutMs: Math.min(timeoutMs, limits.bootstrapStepMs),
      audit: (connection, detail, name = remoteUser) => this.#note({ remoteUser: name.slice(0, limits.remoteUserCharsMax), capability, action, connection, detail }),
    };
    return { settings, context };
  }

  /** A request that did its work does not fail for its audit line. */
  #note(line: Parameters<Audit>[0]): void {
    try {
      this.#audit(line);
    } catch (error) {
      this.#log.warn({ ...line, reason: messageOf(error) }, 'audit line not written');
    }
  }

  /** Refuses what comes from now on; resolves when the requests in flight are answered. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }
}

function whyNot(capability: string): string {
  return capability === capabilities.batch ? 'switched off on this beacon; use MeadowProxy.Request' : 'not offered by this beacon';
}
