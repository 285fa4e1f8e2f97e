/**
 * The base of both drop-in bridges: a service of the hub that forwards to the worker, and answers
 * questions about its state immediately.
 */
import {
  createHubClient,
  type HubClient,
  type HubHeaders,
  type WriteStamp,
} from '../contracts/client.ts';
import { guidMaker, systemStamps } from '../contracts/client/stamps.ts';
import { messageOf } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/json-value.ts';
import { limits } from '../contracts/limits.ts';
import type { ReadReply, WriteReply } from '../contracts/reply.ts';
import { type BridgeOptions, type BridgeSettings, bridgeSettings } from './config.ts';
import { type BridgeReply, refused, unread, written } from './envelopes.ts';
import { Link } from './link.ts';
import { type PersistenceStatus, StatusCache } from './status.ts';

/**
 * What a hub's container gives its services; without a container, a bridge is created with its
 * options alone.
 */
export type HubLog = { info(message: string): void; warn(message: string): void };
export type Hub = {
  isFable?: boolean;
  log?: HubLog;
  Logging?: HubLog;
  settings?: unknown;
  services?: unknown;
  servicesMap?: unknown;
  getUUID?: () => string;
};

type Client = HubClient<HubHeaders>;

export abstract class Bridge {
  /** Marks the class as a service for the hub's container. */
  static readonly isFableService = true;
  readonly fable: Hub | false;
  readonly log: HubLog | undefined;
  readonly services: unknown;
  readonly servicesMap: unknown;
  readonly options: BridgeOptions;
  readonly UUID: string;
  readonly Hash: string;
  readonly serviceType: string;
  readonly #lane: 'queue' | 'manifest';
  readonly #settings: BridgeSettings;
  readonly #link: Link;
  readonly #status: StatusCache;
  readonly #writer: Client;
  readonly #reader: Client;
  readonly #stamp: WriteStamp;
  /** The last unanswered write of each key; reads of the key wait for it. */
  readonly #unanswered = new Map<string, Promise<unknown>>();
  #wasAway: boolean | null = null;

  /**
   * Called as `(hub, options, hash)`, like other services of the hub, or as `(options)`.
   * @throws RangeError or TypeError for a wrong option
   */
  constructor(
    lane: 'queue' | 'manifest',
    serviceType: string,
    hub?: Hub | BridgeOptions,
    options?: BridgeOptions | string,
    hash?: string,
  ) {
    const isHub = isHubContainer(hub);
    this.#lane = lane;
    this.fable = isHub ? hub : false;
    this.log = isHub ? (hub.Logging ?? hub.log) : undefined;
    this.services = isHub ? hub.services : undefined;
    this.servicesMap = isHub ? hub.servicesMap : undefined;
    this.options = optionsOf(isHub ? options : (hub ?? options));
    this.serviceType = serviceType;
    this.UUID = (isHub ? hub.getUUID?.() : undefined) ?? guidMaker(systemStamps)();
    this.Hash = hash ?? (typeof options === 'string' ? options : this.UUID);
    const settings = bridgeSettings(this.options, isHub ? hub.settings : undefined);
    this.#settings = settings;
    this.#stamp = settings.RemoteUser === undefined ? {} : { RemoteUser: settings.RemoteUser };
    this.#status = new StatusCache(lane === 'queue' ? 'Queue' : 'Manifest');
    this.#link = new Link(settings, {
      onStatus: (status) => this.#heard(status),
      onAway: (reason) => this.#away(reason),
    });
    const about = { connection: this.#link, headers: this.#link.headers, hub: settings.HubID };
    this.#writer = createHubClient({
      ...about,
      admit: (send) => this.#link.gate.pass(send),
      retry: { giveUpMs: settings.GiveUpMs },
      waiting: { writesMax: settings.WritesMax, charsMax: settings.WriteCharsMax },
    });
    this.#reader = createHubClient({
      ...about,
      timeoutMs: settings.TimeoutMs,
      retry: { giveUpMs: settings.TimeoutMs, longestMs: limits.dropinProbeMs },
    });
  }

  /** The incumbent starts its bootstrap here; the worker notices beacons by itself. */
  onBeaconConnected(_beaconId?: string): void {
    this.#link.refresh();
  }

  /**
   * Assigns both lanes, because the worker has one database per hub. The status shows the new
   * assignment at once, as not yet ready.
   */
  setPersistenceAssignment(
    beaconId: string | null,
    idBeaconConnection?: number,
  ): Promise<BridgeReply> {
    const BeaconID = beaconId || null;
    const IDBeaconConnection = idBeaconConnection ?? 0;
    this.#status.assigning(
      BeaconID,
      IDBeaconConnection,
      new Date(systemStamps.nowMs()).toISOString(),
    );
    return this.#assign(
      BeaconID === null ? ['clear', {}] : ['assign', { BeaconID, IDBeaconConnection }],
    );
  }

  clearPersistenceAssignment(): Promise<BridgeReply> {
    return this.setPersistenceAssignment(null, 0);
  }

  getPersistenceStatus(): PersistenceStatus {
    return this.#status.status();
  }

  /** The database's beacon, by assignment or by tag, or null. */
  getBeaconID(): string | null {
    return this.#status.status().AssignedBeaconID;
  }

  /** True while the beacon is reachable and its database ready. Writes are accepted in any case. */
  isBeaconAvailable(): boolean {
    return this.#status.status().State === 'bootstrapped';
  }

  getPersistenceBeacon(): { BeaconID: string; IDBeaconConnection: number } | null {
    const { AssignedBeaconID, IDBeaconConnection } = this.#status.status();
    return AssignedBeaconID === null ? null : { BeaconID: AssignedBeaconID, IDBeaconConnection };
  }

  isMeadowProxyMode(): boolean {
    return this.#status.isTableMode();
  }

  /** Writes in flight or waiting. */
  get unanswered(): number {
    return this.#writer.unanswered;
  }

  /**
   * For the hub's own stop: waits at most `waitMs` until every write is answered, then closes the
   * bus.
   * @returns writes given up
   */
  async close(waitMs: number = limits.dropinCloseMs): Promise<number> {
    const endMs = systemStamps.nowMs() + waitMs;
    while (this.unanswered > 0 && systemStamps.nowMs() < endMs) await systemStamps.sleep(10);
    const left = this.unanswered;
    await this.#link.close();
    return left;
  }

  /** Sends a write; `send` copies the arguments before it returns. */
  protected write(
    key: unknown,
    send: (client: Client, stamp: WriteStamp) => Promise<WriteReply>,
  ): Promise<BridgeReply> {
    const name = String(key);
    const answered: Promise<BridgeReply> = send(this.#writer, this.#stamp)
      .then(written, refused)
      .finally(() => {
        if (this.#unanswered.get(name) === answered) this.#unanswered.delete(name);
      });
    this.#unanswered.set(name, answered);
    return answered;
  }

  /** Reads, after this process's earlier write to that key was answered. */
  protected async read(
    key: unknown,
    send: (client: Client) => Promise<ReadReply>,
    toEnvelope: (reply: ReadReply) => BridgeReply,
  ): Promise<BridgeReply> {
    try {
      const before = this.#unanswered.get(String(key));
      if (before) await Promise.race([before, systemStamps.sleep(this.#settings.TimeoutMs)]);
      return toEnvelope(await send(this.#reader));
    } catch (error) {
      return unread(error, this.#lane);
    }
  }

  async #assign([verb, body]: [string, JsonObject]): Promise<BridgeReply> {
    const endMs = systemStamps.nowMs() + this.#settings.TimeoutMs;
    for (;;) {
      try {
        const reply = await this.#link.control(verb, body);
        if (reply['Success'] === true) this.#status.take(reply);
        else this.#link.refresh();
        return { Available: true, Success: reply['Success'] === true, ...reply };
      } catch (error) {
        if (systemStamps.nowMs() > endMs) {
          this.#link.refresh();
          return {
            Available: false,
            Success: false,
            Reason: `the assignment was not made: ${messageOf(error)}`,
          };
        }
      }
      await systemStamps.sleep(limits.dropinProbeMs);
    }
  }

  #heard(status: JsonObject): void {
    this.#status.take(status);
    if (this.#wasAway !== false)
      this.log?.info(
        `Tidemark: the worker of hub ${this.#settings.HubID} answers; ${this.unanswered} writes wait`,
      );
    this.#wasAway = false;
  }

  #away(reason: string): void {
    this.#status.away(`the worker of hub ${this.#settings.HubID} does not answer: ${reason}`);
    if (this.#wasAway !== true)
      this.log?.warn(
        `Tidemark: the worker of hub ${this.#settings.HubID} does not answer (${reason}); ` +
          'writes are kept in memory until it does',
      );
    this.#wasAway = true;
  }
}

function isHubContainer(given: unknown): given is Hub {
  return typeof given === 'object' && given !== null && (given as Hub).isFable === true;
}

function optionsOf(given: unknown): BridgeOptions {
  return typeof given === 'object' && given !== null ? given : {};
}
