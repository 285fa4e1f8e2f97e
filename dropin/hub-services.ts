/**
 * What the hub has itself, and the bridges before used: the file of a finished run in its staging
 * folder, and the items it has in memory or in its own store.
 */
import { isJsonObject, type JsonObject } from '../contracts/body/json-value.ts';

/** What a hub's container gives its services; without one a bridge is made with its options alone. */
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

type Service = Record<string, unknown>;

export class HubServices {
  readonly #hub: Hub | false;

  constructor(hub: Hub | false) {
    this.#hub = hub;
  }

  /**
   * Writes a run's manifest into its staging folder, from where the hub rebuilds its runs when it
   * starts. The hub's own code does it; it logs what goes wrong.
   */
  writeManifest(manifest: unknown): void {
    if (!isJsonObject(manifest)) return;
    const { StagingPath } = manifest;
    const service = this.#service('UltravisorExecutionManifest');
    const write = service?.['_writeManifest'];
    if (typeof write !== 'function' || typeof StagingPath !== 'string' || StagingPath === '')
      return;
    // The hub adds a line to the Log of what it wrote.
    const whole = Array.isArray(manifest['Log']) ? manifest : { ...manifest, Log: [] };
    write.call(service, whole, StagingPath);
  }

  /** A work item as the hub has it; null where it has none. */
  item(hash: string): JsonObject | null {
    const inMemory = this.#service('UltravisorBeaconCoordinator')?.['_WorkQueue'];
    if (isJsonObject(inMemory) && Object.hasOwn(inMemory, hash)) {
      const item = inMemory[hash];
      if (isJsonObject(item)) return item;
    }
    const store = this.#service('UltravisorBeaconQueueStore');
    const get = store?.['getWorkItemByHash'];
    const item: unknown = typeof get === 'function' ? get.call(store, hash) : null;
    return isJsonObject(item) ? item : null;
  }

  /** The first of a type, as the hub itself takes it. */
  #service(type: string): Service | undefined {
    const map = this.#hub ? this.#hub.servicesMap : undefined;
    if (typeof map !== 'object' || map === null) return undefined;
    const ofType = (map as Record<string, unknown>)[type];
    if (typeof ofType !== 'object' || ofType === null) return undefined;
    return Object.values(ofType)[0] as Service | undefined;
  }
}
