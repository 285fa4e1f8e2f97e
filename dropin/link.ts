/**
 * The way to the worker: a connection to the bus that is kept for ever, and the question whether
 * the worker is there, asked every other second.
 */
import { readFileSync } from 'node:fs';
import * as nats from 'nats';
import type { HubConnection, HubHeaders } from '../contracts/client.ts';
import { systemStamps } from '../contracts/client/stamps.ts';
import { decodeBody } from '../contracts/body/codec.ts';
import { messageOf } from '../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../contracts/body/json-value.ts';
import { limits } from '../contracts/limits.ts';
import { isSubjectToken, services, subjects } from '../contracts/subjects.ts';
import type { BridgeSettings, Login, NatsConnection, NatsLibrary } from './config.ts';

export type LinkEvents = {
  /** The worker said how it is. */
  onStatus: (status: JsonObject) => void;
  /**
   * Nobody answers; told again with every question that was not answered.
   *
   * @param isUnserved the bus is there, and nobody on it serves the hub
   */
  onAway: (reason: string, isUnserved: boolean) => void;
  /** An answer did not come: whether the worker is there is to be asked. */
  onDoubt: () => void;
  /** Nothing is sent any more. */
  onEnd: (reason: string) => void;
};

const jsonHeaders = { get: (name: string) => (name === 'Content-Type' ? 'application/json' : '') };

/**
 * What the hub client takes for its connection: requests fail at once while there is none, so that
 * nothing piles up in it.
 */
export class Link implements HubConnection<HubHeaders> {
  readonly headers: () => HubHeaders;
  readonly #settings: BridgeSettings;
  readonly #library: NatsLibrary;
  readonly #events: LinkEvents;
  readonly #inFlight = new Set<(error: Error) => void>();
  #connection: NatsConnection | null = null;
  #isConnected = false;
  #isAway = true;
  #isEnded = false;
  #wake: () => void = () => undefined;

  constructor(settings: BridgeSettings, events: LinkEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#library = settings.Nats ?? nats;
    this.headers = settings.Headers ?? (() => this.#library.headers() as HubHeaders);
    void this.#connect();
    void this.#ask();
  }

  get info(): { max_payload: number } | undefined {
    return this.#connection?.info;
  }

  isClosed(): boolean {
    return this.#isEnded;
  }

  /**
   * As the NATS client's. Without an answer the worker is asked for before anything else is sent.
   */
  async request(
    subject: string,
    payload: Uint8Array,
    options: { timeout: number; headers: HubHeaders },
  ): ReturnType<HubConnection<HubHeaders>['request']> {
    const connection = this.#connection;
    if (!connection || !this.#isConnected) throw new Error(`the bus at ${this.#where} is away`);
    let fail: (error: Error) => void = () => undefined;
    const lost = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    this.#inFlight.add(fail);
    try {
      return await Promise.race([connection.request(subject, payload, options), lost]);
    } catch (error) {
      this.#doubt();
      throw error;
    } finally {
      this.#inFlight.delete(fail);
    }
  }

  /** A control request. @throws Error without an answer */
  async control(verb: string, body: JsonObject): Promise<JsonObject> {
    const head = this.headers();
    head.set('Content-Type', 'application/json');
    const answer = await this.request(
      subjects.control(this.#settings.HubID, verb),
      Buffer.from(JSON.stringify(body)),
      { timeout: limits.dropinStatusMs, headers: head },
    );
    const value = decodeBody(answer.data, answer.headers);
    if (!isJsonObject(value))
      throw new Error(`the worker answered ${verb} with something that is not an object`);
    return value;
  }

  /**
   * What the services of a name that are on this bus say of themselves in a member of their
   * metadata, sorted; null when that cannot be asked, as where the bus does not permit it.
   */
  async named(service: string, member: string): Promise<string[] | null> {
    const names = new Set<string>();
    try {
      const answers = await this.#connection?.requestMany?.(
        services.subject('INFO', service),
        new Uint8Array(),
        { strategy: 'timer', maxWait: limits.dropinServedMs },
      );
      for await (const { data } of answers ?? []) {
        const info = data.length === 0 ? null : decodeBody(data, jsonHeaders);
        const about = isJsonObject(info) && info['metadata'];
        const name = isJsonObject(about) && about[member];
        if (typeof name === 'string' && isSubjectToken(name)) names.add(name);
        if (names.size >= limits.fleetHubsMax) break;
      }
    } catch (error) {
      if (isUnserved(error)) return [];
      throw error;
    }
    // Somebody without the right hears nothing, rather than that there is nobody.
    return names.size === 0 ? null : [...names].toSorted();
  }

  /** Asks the worker how it is now, rather than in a while. */
  refresh(): void {
    this.#wake();
  }

  /** Lets go of the bus; what waits is given up. */
  async close(): Promise<void> {
    this.#end('the bridge was closed before this write was accepted');
    if (!this.#settings.Connection) await this.#connection?.close();
  }

  get #where(): string {
    return this.#settings.servers.join(', ');
  }

  /** Why nobody answered a question, and whether there is nobody. */
  #absence(error: unknown): [reason: string, isUnserved: boolean] {
    const message = messageOf(error);
    if (!this.#isConnected) return [message, false];
    const worker = `the worker of hub ${this.#settings.HubID} does not answer`;
    if (isUnserved(error)) return [`${worker}: nobody serves that hub on ${this.#where}`, true];
    return [`${worker} on ${this.#where}: ${message}`, false];
  }

  #end(reason: string): void {
    this.#isEnded = true;
    this.#events.onEnd(reason);
    this.#wake();
  }

  #doubt(): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#events.onDoubt();
    this.#wake();
  }

  async #connect(): Promise<void> {
    while (!this.#isEnded) {
      try {
        const connection =
          this.#settings.Connection ??
          ((await this.#library.connect(
            connectOptions(this.#settings, this.#library),
          )) as NatsConnection);
        if (this.#isEnded) {
          if (!this.#settings.Connection) await connection.close();
          return;
        }
        await this.#use(connection);
        if (this.#settings.Connection)
          return this.#end(
            'the hub closed its connection to the bus before this write was accepted',
          );
      } catch (error) {
        this.#events.onAway(`no bus at ${this.#where}: ${messageOf(error)}`, false);
      }
      // Not the client's own wait for a first connection: that one could not be ended.
      await systemStamps.sleep(limits.dropinProbeMs);
    }
  }

  /** Resolves when the connection is closed for good. */
  async #use(connection: NatsConnection): Promise<void> {
    this.#connection = connection;
    this.#isConnected = true;
    connection.subscribe(subjects.event(this.#settings.HubID, 'state'), {
      callback: () => this.refresh(),
    });
    this.refresh();
    void this.#watch(connection);
    await connection.closed();
    this.#lost();
  }

  /** The 2.x client does not end this when it is closed. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') this.#lost();
      if (type === 'reconnect') {
        this.#isConnected = true;
        this.refresh();
      }
    }
  }

  #lost(): void {
    this.#isConnected = false;
    this.#doubt();
    for (const fail of this.#inFlight)
      fail(new Error('the bus was lost while waiting for an answer'));
  }

  async #ask(): Promise<void> {
    while (!this.#isEnded) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      try {
        const status = await this.control('status', {});
        this.#isAway = false;
        this.#events.onStatus(status);
      } catch (error) {
        this.#isAway = true;
        this.#events.onAway(...this.#absence(error));
      }
      await Promise.race([
        systemStamps.sleep(this.#isAway ? limits.dropinProbeMs : limits.dropinStatusMs),
        woken,
      ]);
    }
  }
}

function connectOptions(
  { servers, login, HubID, InboxPrefix }: BridgeSettings,
  library: NatsLibrary,
): object {
  return {
    servers,
    name: `tidemark-bridge ${HubID}`,
    inboxPrefix: InboxPrefix,
    // The client gives up after ten tries by default; a hub outlives any outage of the bus.
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    ignoreAuthErrorAbort: true,
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 5_000,
    ...loginOptions(login, library),
  };
}

function loginOptions(
  { creds, nkey, cert, key, ca, ...named }: Login,
  library: NatsLibrary,
): object {
  const authenticator = creds
    ? library.credsAuthenticator(readFileSync(creds))
    : nkey
      ? library.nkeyAuthenticator(readFileSync(nkey))
      : undefined;
  return {
    ...named,
    ...(authenticator ? { authenticator } : {}),
    ...(cert || key || ca
      ? {
          tls: {
            ...(cert ? { certFile: cert } : {}),
            ...(key ? { keyFile: key } : {}),
            ...(ca ? { caFile: ca } : {}),
          },
        }
      : {}),
  };
}

/** The bus says that nobody listens. */
function isUnserved(error: unknown): boolean {
  return /no responders|\b503\b/i.test(messageOf(error));
}
