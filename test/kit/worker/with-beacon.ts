/**
 * A worker's inside on a real bus with a real databeacon in the same process: intake, delivery and
 * reads, with a hand on what is pending.
 */
import { join } from 'node:path';
import type { RunningBeacon } from '../../../beacon/gateway/online.ts';
import { startBeacon } from '../../../beacon/process/compose.ts';
import type { BeaconConfig } from '../../../beacon/databases/config.ts';
import {
  decodeEnvelope,
  type ReadEnvelope,
  type WriteEnvelope,
} from '../../../contracts/envelope.ts';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import type { ReadReply } from '../../../contracts/reply.ts';
import { Bus } from '../../../runtime/bus/bus.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { type Local, openLocal } from '../../../worker/journal/local.ts';
import { Core } from '../../../worker/process/core.ts';
import { Retention } from '../../../worker/upkeep/retention.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { TestNats } from '../servers/nats.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import { until } from '../until.ts';
import { hubId, silent } from './fixture.ts';

export class World implements AsyncDisposable {
  readonly nats: TestNats;
  readonly local: Local;
  readonly core: Core;
  readonly faults: string[] = [];
  readonly #dir: TempDir;
  readonly #bus: Bus;
  readonly #beacons = new Map<string, { beacon: RunningBeacon; bus: Bus }>();

  private constructor(nats: TestNats, bus: Bus, dir: TempDir) {
    this.nats = nats;
    this.#bus = bus;
    this.#dir = dir;
    this.local = openLocal(openStore(dir.at('worker')), hubId);
    this.core = new Core({
      hubId,
      version: 'test',
      isOneWayOn: false,
      local: this.local,
      bus,
      clock: systemClock,
      log: silent,
      room: () => null,
    });
    this.core.events.listen({
      deliveryFault: (message) => this.faults.push(message),
      storeFault: (error) => this.faults.push(error.message),
    });
  }

  /** Who is there, what is assigned, and the marks. */
  get destinations(): Core['delivery']['destinations'] {
    return this.core.delivery.destinations;
  }

  /** Bus and worker; no beacon, nothing assigned. */
  static async start(): Promise<World> {
    const nats = await TestNats.start();
    const world = new World(
      nats,
      await Bus.connect({ servers: nats.url, name: 'world' }, silent),
      tempDir('world'),
    );
    world.core.start();
    return world;
  }

  /** Where a beacon keeps its n-th database. */
  databasePath(beaconId: string, connection = 1): string {
    return this.#dir.at(`${beaconId}-${connection}.sqlite`);
  }

  async startBeacon(beaconId: string, more: Partial<BeaconConfig> = {}): Promise<void> {
    const bus = await Bus.connect({ servers: this.nats.url, name: beaconId }, silent);
    const databases = [1, 2].map(
      (connection) => `sqlite:${this.databasePath(beaconId, connection)}`,
    );
    const config: BeaconConfig = {
      beaconId,
      databases,
      dataDir: join(this.#dir.path, beaconId),
      isBatchOn: true,
      tags: {},
      ...more,
    };
    this.#beacons.set(beaconId, {
      beacon: await startBeacon(config, bus, silent, systemClock),
      bus,
    });
  }

  async stopBeacon(beaconId: string): Promise<void> {
    const running = this.#beacons.get(beaconId);
    this.#beacons.delete(beaconId);
    await running?.beacon.drain();
    await running?.bus.close();
  }

  async assign(beaconId: string, connection = 1): Promise<void> {
    this.destinations.assignments.assign(beaconId, connection);
    await until(
      `${beaconId} is bootstrapped`,
      () =>
        this.destinations.assignments.targetOf('queue')?.isReady &&
        this.destinations.assignments.targetOf('manifest')?.isReady,
    );
  }

  async accept(...envelopes: WriteEnvelope[]): Promise<void> {
    await Promise.all(envelopes.map((envelope) => this.core.hub.intake.accept(envelope)));
  }

  /** @throws TidemarkError as the bus endpoint would */
  read(action: string, settings: object = {}): Promise<ReadReply> {
    const envelope = decodeEnvelope(
      { Settings: settings },
      action.startsWith('QP_') ? 'queue' : 'manifest',
      action,
    );
    return this.core.hub.reader.read(envelope as ReadEnvelope);
  }

  /** All rows of a list, page by page; and where the pages came from. */
  async list(
    action: 'QP_ListWorkItems' | 'MS_ListManifests',
    filter: object,
  ): Promise<{ rows: JsonObject[]; sources: Set<string> }> {
    const rows: JsonObject[] = [];
    const sources = new Set<string>();
    for (let after: string | undefined; ;) {
      const reply = await this.read(action, {
        Filter: { ...filter, ...(after === undefined ? {} : { After: after }) },
      });
      rows.push(
        ...(reply[action === 'QP_ListWorkItems' ? 'WorkItems' : 'Manifests'] as JsonObject[]),
      );
      sources.add(reply.Source);
      after = reply.Next;
      if (after === undefined) return { rows, sources };
    }
  }

  async drained(): Promise<void> {
    await until(
      'both lanes are drained',
      () =>
        (['queue', 'manifest'] as const).every((lane) => {
          const { head } = this.local.journal.counts(lane);
          return head === 0 || (this.destinations.deliveries[lane].mark()?.seq ?? 0) >= head;
        }),
      { everyMs: 5 },
    );
  }

  /** Gives up every delivered body: what the journal knows of rows goes with them. */
  async forget(): Promise<void> {
    await new Retention(
      { ...this.local, assignments: this.destinations.assignments, clock: systemClock },
      { entries: 0, ms: 0 },
    ).sweep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.core.drain();
    for (const beaconId of this.#beacons.keys()) await this.stopBeacon(beaconId);
    await this.#bus.close();
    this.local.store.close();
    await this.nats[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}
