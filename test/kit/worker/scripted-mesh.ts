/**
 * Beacons that only say what a test tells them to: presence when it asks for it, answers of
 * bootstrap steps, silence. Stands where the bus and the dispatcher do.
 */
import { NoRespondersError } from 'nats';
import { TidemarkError } from '../../../contracts/errors.ts';
import { subjects } from '../../../contracts/subjects.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { Dispatcher } from '../../../worker/beacons/dispatcher.ts';

export type ScriptedBeacon = {
  nonce: string;
  storeIds: Record<number, string>;
  tags?: Record<string, string>;
  capabilities?: string[];
  status?: string;
  isConnected?: boolean;
  isHubbed?: boolean;
};

export class ScriptedMesh {
  readonly beacons = new Map<string, ScriptedBeacon>();
  /** Requests as they came: `beacon Action table`. */
  readonly asked: string[] = [];
  /** Subjects of what the directory asked. */
  readonly requested: string[] = [];
  /** What is wrong with a step: its name -> the error's sentence. */
  readonly broken = new Map<string, string>();
  /** Called before a step is answered. */
  onAsked: (action: string) => Promise<void> | void = () => {};
  #hear: { subject: string; onMessage: (body: unknown, subject: string) => void }[] = [];

  /** As the parts of the worker see it. */
  get bus(): Bus {
    return {
      isConnected: true,
      subscribe: (subject: string, onMessage: (body: unknown, subject: string) => void) => {
        const hearer = { subject, onMessage };
        this.#hear.push(hearer);
        return () => {
          this.#hear = this.#hear.filter((one) => one !== hearer);
        };
      },
      request: (subject: string) => {
        this.requested.push(subject);
        return this.#answer(subject.split('.')[1] ?? '', subject.split('.')[3] ?? '', {});
      },
    } as unknown as Bus;
  }

  get dispatcher(): Dispatcher {
    return {
      send: (beaconId: string, _capability: string, action: string, settings: object) =>
        this.#answer(beaconId, action, settings as Record<string, unknown>),
    } as unknown as Dispatcher;
  }

  /** A beacon publishes what it is. */
  announce(beaconId: string, beacon?: ScriptedBeacon): void {
    if (beacon) this.beacons.set(beaconId, beacon);
    const {
      nonce,
      storeIds,
      tags = {},
      capabilities = ['DataBeaconBatch', 'MeadowProxy'],
      status = 'Online',
      isConnected = true,
      isHubbed = false,
    } = this.beacons.get(beaconId) as ScriptedBeacon;
    const Connections = Object.entries(storeIds).map(([id, StoreID]) => ({
      IDBeaconConnection: Number(id),
      Name: `c${id}`,
      Engine: 'sqlite',
      Connected: isConnected,
      StoreID,
    }));
    this.say(subjects.presence(beaconId), {
      BeaconID: beaconId,
      Status: status,
      Nonce: nonce,
      HubSubjects: isHubbed,
      Capabilities: capabilities,
      Tags: tags,
      Connections,
    });
  }

  /** Anything at all, published where presence is, or might be. */
  say(subject: string, body: unknown): void {
    for (const hear of this.#hear)
      if (hear.subject === subject || hear.subject === subject.replace(/[^.]+$/, '*'))
        hear.onMessage(body, subject);
  }

  async #answer(
    beaconId: string,
    action: string,
    settings: Record<string, unknown>,
  ): Promise<object> {
    const beacon = this.beacons.get(beaconId);
    if (!beacon)
      throw new TidemarkError('UNAVAILABLE', `${beaconId}: nobody listens`, {
        cause: new NoRespondersError(beaconId),
      });
    this.asked.push(
      [
        beaconId,
        action,
        ...(typeof settings['TableName'] === 'string' ? [settings['TableName']] : []),
      ].join(' '),
    );
    await this.onAsked(action);
    const wrong = this.broken.get(action);
    if (wrong !== undefined) throw new TidemarkError('UNAVAILABLE', wrong);
    return this.#outputs(beacon, action, settings);
  }

  #outputs(beacon: ScriptedBeacon, action: string, settings: Record<string, unknown>): object {
    const connection = Number(settings['IDBeaconConnection']);
    switch (action) {
      case 'EnsureSchema':
        // The first one gives a database its identity.
        beacon.storeIds[connection] ||= `store-${connection}`;
        return {
          Success: true,
          TablesCreated: [],
          ColumnsAdded: [],
          IndicesCreated: [],
          StoreID: beacon.storeIds[connection],
        };
      case 'EnableEndpoint':
        return {
          TableName: settings['TableName'],
          EndpointBase: `/1.0/c${connection}/${String(settings['TableName'])}`,
          ColumnCount: 1,
        };
      default:
        return { Success: true, TableCount: 0, Tables: [] };
    }
  }
}
