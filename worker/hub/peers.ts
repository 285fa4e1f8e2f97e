/**
 * Workers of one hub look for each other: each announces itself, and the one that hears of a later
 * owner steps down.
 *
 * Constraint: the subject is one that only a worker of the hub may publish to, by the printed
 * permissions; whoever may, can end a worker. Failure: what is not heard is met at the database.
 */
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { subjects } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, isoOf, newUuid } from '../../runtime/clock.ts';
import type { Owners } from '../state/owners.ts';

/** A worker of the hub, as it tells of itself. `term` is 0 while it has none. */
export type Peer = { process: string; owner: string; term: number; startedMs: number };

export type PeersOptions = {
  hubId: string;
  bus: Pick<Bus, 'publish' | 'subscribe'>;
  owners: Owners;
  clock: Clock;
  onLater: (peer: Peer) => void;
};

export class Peers {
  readonly #parts: PeersOptions;
  readonly #process = newUuid();
  readonly #startedMs: number;
  #stop: () => void = () => undefined;

  constructor(parts: PeersOptions) {
    this.#parts = parts;
    this.#startedMs = parts.clock.nowMs();
  }

  get #self(): Peer {
    const { owners } = this.#parts;
    return {
      process: this.#process,
      owner: owners.current.owner,
      term: owners.claim(),
      startedMs: this.#startedMs,
    };
  }

  start(): void {
    const { bus, hubId, clock } = this.#parts;
    const leave = bus.subscribe(subjects.event(hubId, 'owner'), (body) => this.#hear(body));
    const cancel = clock.every(limits.ownerLookMs, () => this.#announce());
    this.#announce();
    this.#stop = () => {
      cancel();
      leave();
    };
  }

  stop(): void {
    this.#stop();
  }

  #announce(): void {
    const { bus, hubId, clock } = this.#parts;
    const { process, owner, term, startedMs } = this.#self;
    bus.publish(subjects.event(hubId, 'owner'), {
      At: isoOf(clock.nowMs()),
      Process: process,
      Owner: owner,
      Term: term,
      StartedMs: startedMs,
    });
  }

  #hear(body: unknown): void {
    const peer = peerIn(body);
    const self = this.#self;
    if (!peer || peer.process === self.process) return;
    if (isLater(peer, self)) this.#parts.onLater(peer);
    // Whoever began between two announcements is to hear of us at once.
    else this.#announce();
  }
}

/** Of two that live: by their Terms, then by who began later. */
function isLater(peer: Peer, self: Peer): boolean {
  if (peer.term !== self.term) return peer.term > self.term;
  if (peer.startedMs !== self.startedMs) return peer.startedMs > self.startedMs;
  return peer.process > self.process;
}

function peerIn(body: unknown): Peer | null {
  if (!isJsonObject(body)) return null;
  const { Process, Owner, Term, StartedMs } = body;
  if (!isId(Process) || !isId(Owner) || !isCount(Term) || !isCount(StartedMs)) return null;
  return { process: Process, owner: Owner, term: Term, startedMs: StartedMs };
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\da-f-]{36}$/i.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
