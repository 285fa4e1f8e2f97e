/**
 * The base of both drop-in bridges: a service of the hub that forwards to the worker, and answers
 * questions about its state immediately.
 */
import type { WriteStamp } from '../contracts/client.ts';
import { guidMaker, systemStamps } from '../contracts/client/stamps.ts';
import type { JsonObject } from '../contracts/body/json-value.ts';
import { limits } from '../contracts/limits.ts';
import type { ReadReply, WriteReply } from '../contracts/reply.ts';
import type { Lane } from '../contracts/subjects.ts';
import { Assigner } from './assigner.ts';
import { type BridgeOptions, bridgeSettings } from './config.ts';
import { type BridgeReply, refused, toReadReply, unread, written } from './envelopes.ts';
import { type Client, Forwarder, type Read } from './forwarder.ts';
import { type Hub, type HubLog, HubServices } from './hub-services.ts';
import { rowsOf, wholeList } from './pages.ts';
import { type PersistenceStatus, StatusCache } from './status.ts';
import { type Listed, listOver } from './waiting/rows.ts';

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
  protected readonly hubServices: HubServices;
  readonly #lane: Lane;
  readonly #forwarder: Forwarder;
  readonly #status: StatusCache;
  readonly #assigner: Assigner;

  /**
   * Called as `(hub, options, hash)`, like other services of the hub, or as `(options)`.
   * @throws RangeError or TypeError for a wrong option
   */
  constructor(
    lane: Lane,
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
    this.hubServices = new HubServices(this.fable);
    this.#status = new StatusCache(lane === 'queue' ? 'Queue' : 'Manifest');
    this.#forwarder = new Forwarder(lane, settings, this.log, {
      onStatus: (status) => this.#status.take(status),
      onAway: (reason) => this.#status.away(reason),
    });
    this.#assigner = new Assigner(this.#forwarder.link, this.#status, settings.TimeoutMs);
  }

  /** The incumbent starts its bootstrap here; the worker notices beacons by itself. */
  onBeaconConnected(_beaconId?: string): void {
    this.#forwarder.link.refresh();
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
    return this.#assigner.assign(BeaconID, IDBeaconConnection);
  }

  clearPersistenceAssignment(): Promise<BridgeReply> {
    return this.setPersistenceAssignment(null, 0);
  }

  getPersistenceStatus(): PersistenceStatus {
    return {
      ...this.#status.status(),
      Unanswered: this.unanswered,
      File: this.#forwarder.file,
    };
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

  /** Writes called and not answered yet, with those an earlier process left in the file. */
  get unanswered(): number {
    return this.#forwarder.unanswered;
  }

  /**
   * For the hub's own stop, where it has one: waits until every write is answered, at most so long,
   * and lets go of the bus and the file.
   *
   * @returns writes given up; those in the file are sent at the next start
   */
  close(waitMs: number = limits.dropinCloseMs): Promise<number> {
    return this.#forwarder.close(waitMs);
  }

  /** Sends a write; `send` copies the arguments before it returns. */
  protected write(
    key: unknown,
    send: (client: Client, stamp: WriteStamp) => Promise<WriteReply>,
  ): Promise<BridgeReply> {
    return this.#forwarder.write(String(key), send).then(written, refused);
  }

  /** Reads, behind what this process wrote to that key and over what waits. */
  protected async read(
    what: Read,
    toEnvelope: (reply: JsonObject) => BridgeReply,
  ): Promise<BridgeReply> {
    try {
      return toEnvelope(await this.#forwarder.read(what));
    } catch (error) {
      return unread(error, this.#lane);
    }
  }

  /** A list, all of it where no limit is said. */
  protected list(
    listed: Listed,
    filter: JsonObject,
    ask: (client: Client, page: JsonObject) => Promise<ReadReply>,
  ): Promise<BridgeReply> {
    const send = (client: Client) =>
      wholeList(
        listed,
        filter,
        (page) => ask(client, page),
        () =>
          this.log?.warn(
            `Tidemark: ${limits.listRowsMax} ${listed} were listed, and more are there`,
          ),
      );
    return this.read(
      {
        send,
        over: (reply, waiting) => {
          if (waiting.length === 0) return reply;
          const rows = listOver(listed, rowsOf(reply, listed), waiting, filter);
          return {
            ...reply,
            [listed]: rows,
            ...(reply['Source'] === 'hub' ? { Partial: true } : {}),
          };
        },
      },
      (reply) => toReadReply(reply),
    );
  }
}

function isHubContainer(given: unknown): given is Hub {
  return typeof given === 'object' && given !== null && (given as Hub).isFable === true;
}

function optionsOf(given: unknown): BridgeOptions {
  return typeof given === 'object' && given !== null ? given : {};
}
