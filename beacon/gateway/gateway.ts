/** Every capability request comes through here: decoded, sent to its action, audited, answered. */
import type { CapabilityReply } from '../../contracts/capability.ts';
import { ChunkAssembler, type ChunkReply } from '../../contracts/body/chunks.ts';
import { decodeBody, type HeaderReader } from '../../contracts/body/codec.ts';
import { messageOf, TidemarkError, toRefusal } from '../../contracts/errors.ts';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { capabilityTarget } from '../../contracts/subjects.ts';
import { type AuditNote, type AuditTrail, countOf, subjectOf } from './audit.ts';
import { insistOnHub } from './hub-scope.ts';
import type { Done } from './meter.ts';
import { decodeRequest, type RequestContext, userOf, whyNotOffered } from './request.ts';
import type { Settings } from '../settings.ts';
import { serving } from './trace.ts';

export type ActionHandler = (settings: Settings, context: RequestContext) => unknown;
/** Capability -> action -> handler. */
export type Actions = Record<string, Record<string, ActionHandler>>;

/** A request as its subject says it; `hub` is null where it is for no hub. */
type Asked = {
  capability: string;
  action: string;
  hub: string | null;
  subject: string;
  /** Bytes its answer may have. */
  roomBytes: number;
};

/** What a request says beside its subject and body. */
export type RequestOrigin = {
  headers?: HeaderReader | undefined;
  sender?: string;
  roomBytes?: number | undefined;
};

export type GatewayOptions = {
  actions: Actions;
  trail: Pick<AuditTrail, 'add'>;
  nowMs: () => number;
  onDone?: (done: Done) => void;
  /** Batches are taken without a hub in their subject. */
  acceptsUnscoped?: boolean | undefined;
};

export class Gateway {
  readonly #actions: Actions;
  readonly #trail: Pick<AuditTrail, 'add'>;
  readonly #nowMs: () => number;
  readonly #onDone: (done: Done) => void;
  /** Requests above the bus's limit come in pieces. */
  readonly #chunks: ChunkAssembler;
  readonly #acceptsUnscoped: boolean;
  #inFlight = 0;
  #isDraining = false;
  #idle: (() => void) | null = null;

  constructor(options: GatewayOptions) {
    const { actions, trail, nowMs, onDone = () => undefined, acceptsUnscoped = false } = options;
    this.#nowMs = nowMs;
    this.#onDone = onDone;
    this.#chunks = new ChunkAssembler(nowMs);
    this.#actions = actions;
    this.#trail = trail;
    this.#acceptsUnscoped = acceptsUnscoped;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Names of the capabilities offered. */
  get capabilities(): string[] {
    return Object.keys(this.#actions);
  }

  /**
   * Answers one request whose subject is `mesh.<BeaconID>.<capability>.<Action>`, with the hub
   * behind it where it is asked for one, in at most `roomBytes`.
   * @throws TidemarkError, which becomes the refusal
   */
  async answer(
    capability: string,
    subject: string,
    body: unknown,
    { headers, sender = '', roomBytes = limits.bodyBytesMax }: RequestOrigin = {},
  ): Promise<CapabilityReply<unknown> | ChunkReply> {
    const { action, hub } = capabilityTarget(subject);
    const about = { capability, hub, subject, roomBytes };
    if (action !== 'chunk') return this.#watched({ ...about, action }, body, headers);
    const taken = this.#chunks.add(body, sender);
    if (!taken.done) return { Success: true, Received: taken.received };
    return this.#watched(
      { ...about, action: taken.action },
      decodeBody(taken.body, taken.headers),
      headers,
    );
  }

  /** Runs a request with a span about it, and counts it. */
  async #watched(
    { capability, action: asked, hub, subject, roomBytes }: Asked,
    body: unknown,
    headers: HeaderReader | undefined,
  ): Promise<CapabilityReply<unknown>> {
    const action = Object.hasOwn(this.#actions[capability] ?? {}, asked) ? asked : 'unknown';
    const reception = serving({ capability, action, subject, writes: writesOf(body) }, headers);
    const startedMs = this.#nowMs();
    const done = (outcome: string, outputs: unknown) =>
      this.#onDone({
        capability,
        action,
        outcome,
        seconds: (this.#nowMs() - startedMs) / 1000,
        outputs,
      });
    try {
      const reply = await this.#run({ capability, action: asked, hub, roomBytes }, body);
      done('ok', reply.Outputs);
      reception.end();
      return reply;
    } catch (error) {
      done(toRefusal(error).Code, null);
      reception.end(error);
      throw error;
    }
  }

  async #run(
    { capability, action, hub, roomBytes }: Omit<Asked, 'subject'>,
    body: unknown,
  ): Promise<CapabilityReply<unknown>> {
    if (this.#isDraining)
      throw new TidemarkError('UNAVAILABLE', 'the beacon is draining', {
        retryAfterMs: limits.unavailableRetryMs,
      });
    this.#inFlight += 1;
    const notes: AuditNote[] = [];
    let ending: AuditNote = {};
    try {
      const handler = Object.hasOwn(this.#actions, capability) && this.#handler(capability, action);
      if (!handler)
        throw new TidemarkError('INVALID_MESSAGE', `${capability}: ${whyNotOffered(capability)}`);
      const { settings, context } = decodeRequest(body, { hub, roomBytes }, notes);
      insistOnHub({ capability, action, settings, hub }, this.#acceptsUnscoped);
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

  /**
   * A line for each note of the request, or one for the request. What a note says goes before what
   * everybody can see.
   */
  #note(
    capability: string,
    action: string,
    body: unknown,
    ending: AuditNote,
    notes: readonly AuditNote[],
  ): void {
    const given = isJsonObject(body) ? body : {};
    const seen = {
      ...subjectOf(given['Settings']),
      outcome: 'ok',
      count: 0,
      detail: '',
      ...ending,
    };
    for (const { user, ...note } of notes.length > 0 ? notes : [{}])
      this.#trail.add({ capability, action, remoteUser: user ?? userOf(given), ...seen, ...note });
  }

  #handler(capability: string, action: string): ActionHandler {
    const actions = this.#actions[capability] ?? {};
    const handler = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (!handler)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `${capability}: unknown action ${action}; there are ${Object.keys(actions).join(', ')}`,
      );
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

/** How many mutations an apply has; null for another request. */
function writesOf(body: unknown): number | null {
  const settings = isJsonObject(body) ? body['Settings'] : null;
  return isJsonObject(settings) && Array.isArray(settings['Mutations'])
    ? settings['Mutations'].length
    : null;
}
