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
import { Bridge, type Hub } from './bridge.ts';
import type { BridgeOptions } from './config.ts';
import { type BridgeReply, filterOf, listLimit, toReadReply } from './envelopes.ts';

export class QueuePersistenceBridge extends Bridge {
  constructor(hub?: Hub | BridgeOptions, options?: BridgeOptions | string, hash?: string) {
    super('queue', 'UltravisorQueuePersistenceBridge', hub, options, hash);
  }

  upsertWorkItem(item: WorkItemFields): Promise<BridgeReply> {
    return this.write(fieldOf(item, 'WorkItemHash'), (client, stamp) =>
      client.upsertWorkItem(item, stamp),
    );
  }

  updateWorkItem(hash: string, patch: Fields): Promise<BridgeReply> {
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
      hash,
      (client) => client.getWorkItemByHash(hash),
      (reply) => toReadReply(reply, 'WorkItem', hash),
    );
  }

  listWorkItems(filter?: WorkItemFilter): Promise<BridgeReply> {
    return this.read(
      '',
      (client) => client.listWorkItems(filterOf(filter, limits.listRowsMax)),
      (reply) => toReadReply(reply),
    );
  }

  getEvents(hash: string, limit?: number): Promise<BridgeReply> {
    return this.read(
      hash,
      (client) => client.getEvents(hash, listLimit(limit, limits.listRowsMax)),
      (reply) => toReadReply(reply),
    );
  }
}

export class ManifestStoreBridge extends Bridge {
  constructor(hub?: Hub | BridgeOptions, options?: BridgeOptions | string, hash?: string) {
    super('manifest', 'UltravisorManifestStoreBridge', hub, options, hash);
  }

  upsertManifest(manifest: ManifestFields): Promise<BridgeReply> {
    return this.write(fieldOf(manifest, 'Hash'), (client, stamp) =>
      client.upsertManifest(manifest, stamp),
    );
  }

  removeManifest(runHash: string): Promise<BridgeReply> {
    return this.write(runHash, (client, stamp) => client.removeManifest(runHash, stamp));
  }

  getManifest(runHash: string): Promise<BridgeReply> {
    return this.read(
      runHash,
      (client) => client.getManifest(runHash),
      (reply) => toReadReply(reply, 'Manifest', runHash),
    );
  }

  listManifests(filter?: ManifestFilter): Promise<BridgeReply> {
    return this.read(
      '',
      (client) => client.listManifests(filterOf(filter, limits.listRowsMax)),
      (reply) => toReadReply(reply),
    );
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
