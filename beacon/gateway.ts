/** Every capability request comes through here: decoded, sent to its action, audited, answered. */
import { capabilities, type CapabilityReply } from '../contracts/capability.ts';
import { ChunkAssembler, type ChunkReply } from '../contracts/chunks.ts';
import { decodeBody } from '../contracts/codec.ts';
import { defaultRemoteUser } from '../contracts/envelope.ts';
import { messageOf, TidemarkError, toRefusal } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/json-value.ts';
import { limits } from '../contracts/limits.ts';
import { lastToken } from '../contracts/subjects.ts';
import { type AuditNote, type AuditTrail, countOf, subjectOf } from './audit.ts';
import { refuse, type Settings } from './settings.ts';

/** What an action is told beside its Settings. `audit` says more than everybody can see; each time it is a line of its own. */
export type RequestContext = { remoteUser: string; timeoutMs: number; audit(note: AuditNote): void };
export type ActionHandler = (settings: Settings, context: RequestContext) => unknown;
/** Capability -> action -> handler. */
export type Actions = Record<string, Record<string, ActionHandler>>;

export class Gateway {
  readonly #actions: Actions;
  readonly #trail: Pick<AuditTrail, 'add'>;
  /** Requests above the bus's limit come in pieces. */
  readonly #chunks: ChunkAssembler;
  #inFlight = 0;
  #isDraining = false;
  #idle: (() => void) | null = null;

  constructor(actions: Actions, trail: Pick<AuditTrail, 'add'>, nowMs: () => number) {
    this.#chunks = new ChunkAssembler(nowMs);
    this.#actions = actions;
    this.#trail = trail;
  }

  get isDraining(): boolean {
    return this.#isDraining;
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
    const notes: AuditNote[] = [];
    let ending: AuditNote = {};
    try {
      const handler = Object.hasOwn(this.#actions, capability) && this.#handler(capability, action);
      if (!handler) throw new TidemarkError('INVALID_MESSAGE', `${capability}: ${whyNot(capability)}`);
      const { settings, context } = decode(body, notes);
      const outputs = await handler(settings, context);
      ending = { outcome: 'ok', count: countOf(outputs) };
      return { Outputs: outputs };
    } catch (error) {
      ending = { outcome: toRefusal(error).Code, detail: messageOf(error) };
      throw error;
    } finally {
      this.#note(capability, action, body, ending, notes);
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#idle?.();
    }
  }

  /** A line for each note of the request, or one for the request. What a note says goes before what everybody can see. */
  #note(capability: string, action: string, body: unknown, ending: AuditNote, notes: readonly AuditNote[]): void {
    const given = isJsonObject(body) ? body : {};
    const seen = { ...subjectOf(given['Settings']), outcome: 'ok', count: 0, detail: '', ...ending };
    for (const { user, ...note } of notes.length > 0 ? notes : [{}]) this.#trail.add({ capability, action, remoteUser: user ?? userOf(given), ...seen, ...note });
  }

  #handler(capability: string, action: string): ActionHandler {
    const actions = this.#actions[capability] ?? {};
    const handler = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (!handler) throw new TidemarkError('INVALID_MESSAGE', `${capability}: unknown action ${action}; there are ${Object.keys(actions).join(', ')}`);
    return handler;
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

/** Who asks, as far as it is said. */
function userOf(body: Readonly<Record<string, unknown>>): string {
  const { RemoteUser: user } = body;
  return typeof user === 'string' && user !== '' ? user : defaultRemoteUser;
}

function decode(body: unknown, notes: AuditNote[]): { settings: Settings; context: RequestContext } {
  if (!isJsonObject(body)) throw refuse('body', 'an object with Settings', body);
  const settings = body['Settings'] ?? {};
  if (!isJsonObject(settings)) throw refuse('Settings', 'an object', settings);
  const { TimeoutMs: timeoutMs = limits.capabilityMs } = body;
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 1)) throw refuse('TimeoutMs', 'milliseconds of at least 1', timeoutMs);
  const context: RequestContext = { remoteUser: userOf(body), timeoutMs: Math.min(timeoutMs, limits.bootstrapStepMs), audit: (note) => void notes.push(note) };
  return { settings, context };
}
