/**
 * The sockets of an HTTP server: so many in all and from one address, and always room for who asks
 * whether the process is alive. Whoever waits for nothing makes room for who comes.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from '../../contracts/limits.ts';
import { addressGroup } from './address-group.ts';

/** Answered also where there is room for nothing else. */
const probes: ReadonlySet<string> = new Set(['/livez', '/readyz']);

type Held = {
  socket: Socket;
  from: string;
  /** Requests that have no answer yet. */
  requests: Set<IncomingMessage>;
  /** Came where nobody could make room: it is heard for the probes alone. */
  isForProbes: boolean;
};

export class SocketRoom {
  /** In the order in which they began to wait for a request: of those that may go, the first goes. */
  readonly #held = new Map<string, Held>();

  /** Before the server listens. */
  constructor(server: Pick<Server, 'on'>) {
    server.on('connection', (socket: Socket) => this.#enter(socket));
    server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#ask(request, response),
    );
  }

  /** Whether a request came where there is room for probes alone, and is none. */
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
      // It waits from now on.
      this.#held.delete(key);
      this.#held.set(key, held);
    });
  }

  /** True when one more fits, where need be because another one went. */
  #makeRoom(from: string): boolean {
    const ofAddress = [...this.#held.values()].filter((one) => one.from === from);
    if (ofAddress.length >= limits.httpSocketsOfAddressMax) return this.#letGo(ofAddress);
    return this.#held.size < limits.httpConnectionsMax || this.#letGo(this.#ofTheMost());
  }

  /** False when all of them are being answered. */
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

  /** The sockets of the address that has the most of those that may go. */
  #ofTheMost(): Held[] {
    const byAddress = Map.groupBy([...this.#held.values()].filter(mayGo), ({ from }) => from);
    return [...byAddress.values()].reduce(
      (most, one) => (one.length > most.length ? one : most),
      [],
    );
  }
}

/** Nothing was asked, or all was answered, or what is asked is still coming. */
function mayGo({ requests }: Held): boolean {
  return [...requests].every((request) => !request.complete);
}

function isProbe(url: string): boolean {
  return probes.has(url.replace(/\?.*$/s, ''));
}

/** The same for a socket and the encrypted one over it. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** An answer that is out does not oblige us to read what else was meant to come. */
function cutSurplus(request: IncomingMessage): void {
  if (request.complete) return;
  let bytes = 0;
  request.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > limits.httpBodyBytesMax) request.socket.destroy();
  });
}
