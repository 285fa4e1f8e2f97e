/**
 * The incumbent's two bridges by name and method, published as `tidemark/bridges`: a hub changes
 * only the line that loads them.
 */
import type {
  AttemptFields,
  Fields,
  ManifestFields,
  ManifestFilter,
  WorkItemFields,
  WorkItemFilter,
} from '../contracts/client.ts';
import { limits } from '../contracts/limits.ts';
import { Bridge } from './bridge.ts';
import type { BridgeOptions } from './config.ts';
import { type BridgeReply, filterOf, listLimit, toReadReply } from './envelopes.ts';
import type { Hub } from './hub-services.ts';
import { rowOf, rowsOf } from './pages.ts';
import { RecentKeys } from './recent-keys.ts';
import { eventsOver, manifestOver, workItemOver } from './waiting/rows.ts';

export class QueuePersistenceBridge extends Bridge {
  /** Items whose row is whole as far as this process knows. */
  readonly #sent = new RecentKeys(limits.dropinKnownItems);

  constructor(hub?: Hub | BridgeOptions, options?: BridgeOptions | string, hash?: string) {
    super('queue', 'UltravisorQueuePersistenceBridge', hub, options, hash);
  }

  upsertWorkItem(item: WorkItemFields): Promise<BridgeReply> {
    this.#sent.add(String(fieldOf(item, 'WorkItemHash')));
    return this.write(fieldOf(item, 'WorkItemHash'), (client, stamp) =>
      client.upsertWorkItem(item, stamp),
    );
  }

  /**
   * An item that this process did not send may be one of a hub that was stopped, of which the
   * database has nothing: what the hub has of it goes first, and fills what is empty.
   */
  updateWorkItem(hash: string, patch: Fields): Promise<BridgeReply> {
    if (this.#sent.add(hash)) this.#fill(hash);
    return this.write(hash, (client, stamp) => client.updateWorkItem(hash, patch, stamp));
  }

  appendEvent(event: WorkItemFields): Promise<BridgeReply> {
    return this.write(fieldOf(event, 'WorkItemHash'), (client, stamp) =>
      client.appendEvent(event, stamp),
    );
  }

  insertAttempt(attempt: AttemptFields): Promise<BridgeReply> {
    return this.write(fieldOf(attempt, 'WorkItemHash'), (client, stamp) =>
      client.insertAttempt(attempt, stamp),
    );
  }

  updateAttemptOutcome(hash: string, attemptNumber: number, patch: Fields): Promise<BridgeReply> {
    return this.write(hash, (client, stamp) =>
      client.updateAttemptOutcome(hash, attemptNumber, patch, stamp),
    );
  }

  getWorkItemByHash(hash: string): Promise<BridgeReply> {
    return this.read(
      {
        key: hash,
        send: (client) => client.getWorkItemByHash(hash),
        over: (reply, waiting) => {
          const known = workItemOver(rowOf(reply, 'WorkItem'), waiting);
          const isPartial = known?.isWhole === false;
          return {
            ...reply,
            WorkItem: known?.row ?? null,
            ...(isPartial ? { Partial: true } : {}),
          };
        },
      },
      (reply) => toReadReply(reply, 'WorkItem', hash),
    );
  }

  listWorkItems(filter?: WorkItemFilter): Promise<BridgeReply> {
    const wanted = filterOf(filter, limits.listRowsMax);
    return this.list('WorkItems', wanted, (client, page) => client.listWorkItems(page));
  }

  getEvents(hash: string, limit?: number): Promise<BridgeReply> {
    const most = listLimit(limit, limits.listRowsMax);
    return this.read(
      {
        key: hash,
        send: (client) => client.getEvents(hash, most),
        over: (reply, waiting) => ({
          ...reply,
          Events: eventsOver(rowsOf(reply, 'Events'), waiting, most ?? limits.listRowsMax),
        }),
      },
      (reply) => toReadReply(reply),
    );
  }

  #fill(hash: string): void {
    const item = this.hubServices.item(hash);
    if (item)
      void this.write(hash, (client, stamp) =>
        client.upsertWorkItem({ ...item, WorkItemHash: hash }, { ...stamp, FillOnly: true }),
      );
  }
}

export class ManifestStoreBridge extends Bridge {
  constructor(hub?: Hub | BridgeOptions, options?: BridgeOptions | string, hash?: string) {
    super('manifest', 'UltravisorManifestStoreBridge', hub, options, hash);
  }

  /** The hub's own file of the run is written too: from those it rebuilds its runs at a start. */
  upsertManifest(manifest: ManifestFields): Promise<BridgeReply> {
    const answer = this.write(fieldOf(manifest, 'Hash'), (client, stamp) =>
      client.upsertManifest(manifest, stamp),
    );
    this.hubServices.writeManifest(manifest);
    return answer;
  }

  removeManifest(runHash: string): Promise<BridgeReply> {
    return this.write(runHash, (client, stamp) => client.removeManifest(runHash, stamp));
  }

  getManifest(runHash: string): Promise<BridgeReply> {
    return this.read(
      {
        key: runHash,
        send: (client) => client.getManifest(runHash),
        over: (reply, waiting) => ({
          ...reply,
          Manifest: manifestOver(rowOf(reply, 'Manifest'), waiting),
        }),
      },
      (reply) => toReadReply(reply, 'Manifest', runHash),
    );
  }

  /** Newest first, where nothing else is said. */
  listManifests(filter?: ManifestFilter): Promise<BridgeReply> {
    const wanted = { OrderBy: '-StartTime', ...filterOf(filter, limits.listRowsMax) };
    return this.list('Manifests', wanted, (client, page) => client.listManifests(page));
  }
}

/**
 * Hubs are JavaScript and may pass anything; the worker refuses a wrong argument, so we must not
 * throw on it.
 */
function fieldOf(given: unknown, name: string): unknown {
  return typeof given === 'object' && given !== null
    ? (given as Record<string, unknown>)[name]
    : undefined;
}
