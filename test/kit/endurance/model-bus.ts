/**
 * A bus with a databeacon behind it that keeps no rows: it answers as the contract says, refuses
 * what it is told to, and checks that the writes of a key come in the order of Seq (I7).
 */
import { NoRespondersError } from 'nats';
import {
  type ApplyOutputs,
  type ApplySettings,
  capabilities,
  type StoredMark,
} from '../../../contracts/capability.ts';
import { packBody } from '../../../contracts/body/codec.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import type { MutationResult, RowMutation } from '../../../contracts/mutation.ts';
import { actionIn, type Lane, subjects } from '../../../contracts/subjects.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { Packed, RequestOptions } from '../../../runtime/bus/requester.ts';
import type { Turns } from './turns.ts';

export const beaconId = 'endure';
/** An event of this type is refused until its key is forgiven. */
export const refusedType = 'refused-by-the-campaign';

/** Keys whose last Seq is remembered; older ones are not written any more. */
const keysKnown = 50_000;

export class ModelBus {
  readonly payloadBytesMax = limits.busPayloadBytesMax;
  readonly isConnected = true;
  readonly server = 'model';
  readonly reconnects = 0;
  isUp = true;
  readonly forgiven = new Set<string>();
  readonly faults: string[] = [];
  applied = 0;
  readonly #turns: Turns;
  /** A request's bytes -> what is in them: decoding is the work of another process. */
  readonly #packed = new WeakMap<Uint8Array, unknown>();
  readonly #marks = new Map<Lane, StoredMark>();
  readonly #lastSeq = new Map<string, number>();
  #listeners: ((body: unknown, subject: string) => void)[] = [];

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  asBus(): Bus {
    return this as unknown as Bus;
  }

  subscribe(subject: string, onMessage: (body: unknown, subject: string) => void): () => void {
    if (subject !== subjects.presenceAll) return () => undefined;
    this.#listeners.push(onMessage);
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== onMessage);
    };
  }

  publish(): void {
    // Nobody listens to announcements here.
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** The beacon says that it is there, unless it is away. */
  announce(): void {
    if (!this.isUp) return;
    const presence = {
      BeaconID: beaconId,
      Status: 'Online',
      Nonce: 'one',
      HubSubjects: true,
      Tags: {},
      Capabilities: Object.values(capabilities),
      Connections: [
        { IDBeaconConnection: 1, Name: 'c1', Engine: 'sqlite', Connected: true, StoreID: 'store' },
      ],
    };
    for (const hear of this.#listeners) hear(presence, subjects.presence(beaconId));
  }

  pack(value: unknown, options: RequestOptions = {}): Packed {
    const packed = packBody(value, options.encoding ?? 'msgpack', limits.gzipToBeaconAboveBytes);
    this.#packed.set(packed.body, value);
    return packed;
  }

  request<T>(subject: string, value: unknown, options: RequestOptions = {}): Promise<T> {
    return this.send<T>(subject, this.pack(value, options));
  }

  send<T>(subject: string, packed: Packed): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      setImmediate(() => {
        if (!this.isUp) {
          const cause = new NoRespondersError(subject);
          return reject(new TidemarkError('UNAVAILABLE', `${subject}: nobody there`, { cause }));
        }
        const { Settings } = this.#packed.get(packed.body) as { Settings: object };
        const Outputs = this.#turns.apart(() => this.#answer(actionIn(subject), Settings));
        resolve({ Outputs } as T);
      });
    });
  }

  #answer(action: string, settings: object): object {
    switch (action) {
      case 'Apply':
        return this.#apply(settings as ApplySettings);
      case 'Mark':
        return {
          Mark: this.#marks.get((settings as ApplySettings).Lane) ?? null,
          StoreID: 'store',
        };
      case 'EnsureSchema':
        return {
          Success: true,
          TablesCreated: [],
          ColumnsAdded: [],
          IndicesCreated: [],
          StoreID: 'store',
        };
      case 'EnableEndpoint': {
        const { TableName } = settings as { TableName: string };
        return { TableName, EndpointBase: `/1.0/c1/${TableName}`, ColumnCount: 1 };
      }
      case 'Request':
        return { Status: 200, Headers: {}, Body: '[]' };
      default:
        return { Success: true, TableCount: 0, Tables: [] };
    }
  }

  #apply(settings: ApplySettings): ApplyOutputs {
    const { Mutations, Epoch, Lane: lane, ThroughSeq, IsBelowMark = false } = settings;
    const { AfterSeq = 0, AfterEpoch } = settings;
    const stored = this.#marks.get(lane) ?? null;
    if (AfterEpoch !== undefined && AfterEpoch !== (stored?.Epoch ?? ''))
      throw new TidemarkError('UNAVAILABLE', 'the batch does not know the mark');
    if (stored && stored.Seq < AfterSeq) this.faults.push(`${lane}: went past ${stored.Seq}`);
    const Results = Mutations.map((one) => this.#outcome(one));
    const IsCommitted = IsBelowMark || Results.every(({ Outcome }) => Outcome === 'applied');
    if (IsCommitted) {
      this.#insistOnOrder(Mutations.filter((_, at) => Results[at]?.Outcome === 'applied'));
      const Seq = IsBelowMark ? (stored?.Seq ?? 0) : Math.max(ThroughSeq, stored?.Seq ?? 0);
      this.#marks.set(lane, { Epoch, Seq, UpdatedAt: '' });
    }
    return { Results, IsCommitted, Mark: this.#marks.get(lane) ?? null };
  }

  #outcome({ Set: set }: RowMutation): MutationResult {
    const isRefused =
      set['EventType'] === refusedType && !this.forgiven.has(String(set['WorkItemHash']));
    return isRefused ? { Outcome: 'rejected', Reason: 'by the campaign' } : { Outcome: 'applied' };
  }

  /** Within one transaction there is no order; from one to the next it is that of Seq. */
  #insistOnOrder(mutations: readonly RowMutation[]): void {
    const highest = new Map<string, number>();
    for (const one of mutations) {
      const key = keyOf(one);
      if (one.Seq <= (this.#lastSeq.get(key) ?? 0))
        this.faults.push(`I7: ${key}: ${one.Seq} came after ${this.#lastSeq.get(key)}`);
      highest.set(key, Math.max(one.Seq, highest.get(key) ?? 0));
    }
    this.applied += mutations.length;
    for (const [key, seq] of highest) {
      this.#lastSeq.delete(key);
      this.#lastSeq.set(key, seq);
    }
    for (const key of this.#lastSeq.keys()) {
      if (this.#lastSeq.size <= keysKnown) break;
      this.#lastSeq.delete(key);
    }
  }
}

function keyOf({ Key, Set: set }: RowMutation): string {
  return String(Key['WorkItemHash'] ?? set['WorkItemHash'] ?? Key['Hash']);
}
