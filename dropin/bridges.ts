/**
 * The incumbent's two bridges by name and method, published as `tidemark/bridges`: a hub changes
 * the line that loads them.
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
import { type Envelope, filterOf, found, limitOf } from './envelopes.ts';

export class QueuePersistenceBridge extends Bridge {
  constructor(hub?: Hub | BridgeOptions, options?: BridgeOptions | string, hash?: string) {
    super('queue', 'UltravisorQueuePersistenceBridge', hub, options, hash);
  }

  upsertWorkItem(item: WorkItemFields): Promise<Envelope> {
    return this.write(fieldOf(item, 'WorkItemHash'), (client, stamp) =>
      client.upsertWorkItem(item, stamp),
    );
  }

  updateWorkItem(hash: string, patch: Fields): Promise<Envelope> {
    return this.write(hash, (client, stamp) => client.updateWorkItem(hash, patch, stamp));
  }

  appendEvent(event: WorkItemFields): Promise<Envelope> {
    return this.write(fieldOf(event, 'WorkItemHash'), (client, stamp) =>
      client.appendEvent(event, stamp),
    );
  }

  insertAttempt(attempt: AttemptFields): Promise<Envelope> {
    return this.write(fieldOf(attempt, 'WorkItemHash'), (client, stamp) =>
      client.insertAttempt(attempt, stamp),
    );
  }

  updateAttemptOutcome(hash: string, attemptNumber: number, patch: Fields): Promise<Envelope> {
    return this.write(hash, (client, stamp) =>
      client.updateAttemptOutcome(hash, attemptNumber, patch, stamp),
    );
  }

  getWorkItemByHash(hash: string): Promise<Envelope> {
    return this.read(
      hash,
      (client) => client.getWorkItemByHash(hash),
      (reply) => found(reply, 'WorkItem', hash),
    );
  }

  listWorkItems(filter?: WorkItemFilter): Promise<Envelope> {
    return this.read(
      '',
      (client) => client.listWorkItems(filterOf(filter, limits.listRowsMax)),
      (reply) => found(reply),
    );
  }

  getEvents(hash: string, limit?: number): Promise<Envelope> {
    return this.read(
      hash,
      (client) => client.getEvents(hash, limitOf(limit, limits.listRowsMax)),
      (reply) => found(reply),
    );
  }
}

export class ManifestStoreBridge extends Bridge {
  constructor(hub?: Hub | BridgeOptions, options?: BridgeOptions | string, hash?: string) {
    super('manifest', 'UltravisorManifestStoreBridge', hub, options, hash);
  }

  upsertManifest(manifest: ManifestFields): Promise<Envelope> {
    return this.write(fieldOf(manifest, 'Hash'), (client, stamp) =>
      client.upsertManifest(manifest, stamp),
    );
  }

  removeManifest(runHash: string): Promise<Envelope> {
    return this.write(runHash, (client, stamp) => client.removeManifest(runHash, stamp));
  }

  getManifest(runHash: string): Promise<Envelope> {
    return this.read(
      runHash,
      (client) => client.getManifest(runHash),
      (reply) => found(reply, 'Manifest', runHash),
    );
  }

  listManifests(filter?: ManifestFilter): Promise<Envelope> {
    return this.read(
      '',
      (client) => client.listManifests(filterOf(filter, limits.listRowsMax)),
      (reply) => found(reply),
    );
  }
}

/**
 * Hubs in JavaScript hand over what they have; a wrong argument is the worker's to refuse, not ours
 * to fall over.
 */
function fieldOf(given: unknown, name: string): unknown {
  return typeof given === 'object' && given !== null
    ? (given as Record<string, unknown>)[name]
    : undefined;
}
