/**
 * Bounds the sockets of an HTTP server, in all and per address, and always keeps room for the
 * probes. Idle sockets are closed to make room for new ones.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from '../../contracts/limits.ts';
import { addressGroup } from './address-group.ts';

/** Answered even when there is no room for anything else. */
const probes: ReadonlySet<string> = new Set(['/livez', '/readyz']);

type Held = {
  socket: Socket;
  from: string;
  /** Requests without an answer yet. */
  requests: Set<IncomingMessage>;
  /** Accepted although there was no room: only the probes are answered on it. */
  isForProbes: boolean;
};

export class SocketRoom {
  /** Ordered by when they became idle; the first that may be closed is closed first. */
  readonly #held = new Map<string, Held>();

  /** Must be called before the server listens. */
  constructor(server: Pick<Server, 'on'>) {
    server.on('connection', (socket: Socket) => this.#enter(socket));
    server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#ask(request, response),
    );
  }

  /** Whether this request came on a socket for probes only, and is not a probe. */
  isTooMany({ socket, url = '' }: IncomingMessage): boolean {
    return this.#held.get(keyOf(socket))?.isForProbes === true && !isProbe(url);
  }

  #enter(socket: Socket): void {
    const from = addressGroup(socket.remoteAddress ?? '');
    const key = keyOf(socket);
    const held = { socket, from, requests: new Set<IncomingMessage>(), isForProbes: false };
    const hasRoom = this.#makeRoom(from);
    if (!hasRoom && this.#probing(from) >= limits.httpProbeSocketsMax) {
      socket.destroy();
      return;
    }
    this.#held.set(key, { ...held, isForProbes: !hasRoom });
    socket.once('close', () => {
      if (this.#held.get(key)?.socket === socket) this.#held.delete(key);
    });
  }

  #ask(request: IncomingMessage, response: ServerResponse): void {
    const key = keyOf(request.socket);
    const held = this.#held.get(key);
    held?.requests.add(request);
    response.once('finish', () => cutSurplus(request));
    response.once('close', () => {
      held?.requests.delete(request);
      if (!held || this.#held.get(key) !== held) return;
      // Idle from now on, so move it to the end.
      this.#held.delete(key);
      this.#held.set(key, held);
    });
  }

  /** True when there is room for one more, if necessary by closing another. */
  #makeRoom(from: string): boolean {
    const ofAddress = [...this.#held.values()].filter((one) => one.from === from);
    if (ofAddress.length >= limits.httpSocketsOfAddressMax) return this.#letGo(ofAddress);
    return this.#held.size < limits.httpConnectionsMax || this.#letGo(this.#ofTheMost());
  }

  /** False when all of them have requests in progress. */
  #letGo(held: readonly Held[]): boolean {
    const first = held.find(mayGo);
    if (!first) return false;
    this.#held.delete(keyOf(first.socket));
    first.socket.destroy();
    return true;
  }

  #probing(from: string): number {
    return [...this.#held.values()].filter((one) => one.isForProbes && one.from === from).length;
  }

  /** The closable sockets of the address with the most of them. */
  #ofTheMost(): Held[] {
    const byAddress = Map.groupBy([...this.#held.values()].filter(mayGo), ({ from }) => from);
    return [...byAddress.values()].reduce(
      (most, one) => (one.length > most.length ? one : most),
      [],
    );
  }
}

/** Whether a socket is idle, or its request is still arriving. */
function mayGo({ requests }: Held): boolean {
  return [...requests].every((request) => !request.complete);
}

function isProbe(url: string): boolean {
  return probes.has(url.replace(/\?.*$/s, ''));
}

/** The same key for a socket and for the TLS socket over it. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** An answered request may still be arriving; it is read only up to the bound. */
function cutSurplus(request: IncomingMessage): void {
  if (request.complete) return;
  let bytes = 0;
  request.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > limits.httpBodyBytesMax) request.socket.destroy();
  });
}
