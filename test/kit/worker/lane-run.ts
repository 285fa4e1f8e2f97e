/**
 * One lane of a worker without a bus: real journal, marks, held entries, delivery and replay;
 * scripted databases; a clock that stands still.
 */
import { onTestFinished } from 'vitest';
import type { Balance, CarrierName } from '../../../contracts/status.ts';
import type { WriteEnvelope } from '../../../contracts/envelope.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { Assignments } from '../../../worker/beacons/assignments.ts';
import { type Destination, LaneDelivery } from '../../../worker/replay/delivery.ts';
import type { Dispatcher } from '../../../worker/beacons/dispatcher.ts';
import { type Local, openLocal } from '../../../worker/journal/local.ts';
import { MarkMover } from '../../../worker/operators/mark-mover.ts';
import { Overview } from '../../../worker/operators/overview.ts';
import { Ownership } from '../../../worker/replay/ownership.ts';
import { Replay } from '../../../worker/replay/replay.ts';
import type { MetOwner } from '../../../worker/state/owners.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { ManualClock } from '../manual-clock.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';
import { hubId, silent } from './fixture.ts';
import { ModelDatabase, OneByOneCarrier, ScriptedDispatcher } from './scripted-carrier.ts';

export type Assigned = { beacon: string; connection: number };
/** Deliveries of one test at most: a loop that never rests shows as an error, not as a hang. */
const callsMax = 5_000;
type Parts = { local: Local; delivery: LaneDelivery; replay: Replay; overview: Overview };

export class LaneRun {
  readonly clock = new ManualClock();
  readonly databases = new Map([
    ['a', new ModelDatabase('store-a')],
    ['b', new ModelDatabase('store-b')],
  ]);
  readonly faults: string[] = [];
  /** Later owners that were met. */
  readonly deposed: MetOwner[] = [];
  assigned: Assigned | null = { beacon: 'a', connection: 1 };
  isPaused = false;
  settled = 0;
  readonly #dir: TempDir;
  /** What the beacon offers; it may lose the batch capability and regain it. */
  offers: CarrierName;
  readonly #assignments = new WeakMap<Assigned, object>();
  #generation = 1;
  #lastTarget: object | null = null;
  #parts: Parts;

  constructor(isAtomic = true, dir: TempDir = tempDir('lane')) {
    this.#dir = dir;
    this.offers = isAtomic ? 'batch' : 'meadow-proxy';
    this.#parts = this.#start();
  }

  /** One that ends with the test. */
  static ofTest(isAtomic = true): LaneRun {
    const run = new LaneRun(isAtomic);
    onTestFinished(() => run.end());
    return run;
  }

  get local(): Local {
    return this.#parts.local;
  }

  /** The assigned database. */
  get database(): ModelDatabase {
    return this.#database(this.assigned?.beacon ?? 'a');
  }

  get mark() {
    return this.#parts.delivery.mark();
  }

  get balance(): Balance {
    return this.#parts.overview.balance('queue');
  }

  get overview(): Overview {
    return this.#parts.overview;
  }

  #database(beacon: string): ModelDatabase {
    const found = this.databases.get(beacon);
    if (!found) throw new Error(`no database ${beacon}`);
    return found;
  }

  /** The same object until it is assigned again, as the worker's own are. */
  #assignment(): object | null {
    if (!this.assigned) return null;
    const known = this.#assignments.get(this.assigned);
    const one = known ?? { ...this.assigned, assignedMs: 0, by: 'operator' };
    this.#assignments.set(this.assigned, one);
    return one;
  }

  #start(): Parts {
    const local = openLocal(openStore(this.#dir.path), hubId);
    const assignments = {
      of: () => this.#assignment(),
      targetOf: () => this.#target(),
    } as unknown as Assignments;
    const delivery = new LaneDelivery({
      lane: 'queue',
      hubId,
      assignments,
      dispatcher: new ScriptedDispatcher(this.databases) as unknown as Dispatcher,
      journal: local.journal,
      marks: local.marks,
      blocked: local.blocked,
      ownership: new Ownership({
        owners: local.journal.owners,
        clock: this.clock,
        log: silent,
        onDeposed: (met) => this.deposed.push(met),
      }),
      log: silent,
      isPaused: () => this.isPaused,
      onFault: (message) => this.faults.push(message),
    });
    const replay = new Replay({
      lane: 'queue',
      journal: local.journal,
      marks: local.marks,
      blocked: local.blocked,
      clock: this.clock,
      log: silent,
      destination: () =>
        this.offers === 'batch' ? delivery.destination() : Promise.resolve(this.#proxied(delivery)),
      listener: {
        settled: () => {
          this.settled += 1;
        },
        failed: (_, error) => delivery.failed(error),
      },
    });
    const overview = new Overview({
      hubId,
      version: 'test',
      ...local,
      assignments,
      deliveries: { queue: delivery, manifest: delivery },
      clock: this.clock,
      isPaused: () => this.isPaused,
      bus: () => ({ Connected: true, Server: null, Reconnects: 0 }),
      capacity: () => ({
        UsedBytes: 0,
        BytesMax: 1,
        FreeBytes: null,
        FreeBytesMin: null,
        Pending: 0,
        PendingMax: 1,
        ReserveBytes: 0,
        Refusing: null,
        TimeToFullSeconds: null,
      }),
    });
    replay.start();
    return { local, delivery, replay, overview };
  }

  /** Marks of this lane, moved by hand. */
  get markMover(): MarkMover {
    const { local, delivery, replay } = this.#parts;
    return new MarkMover({
      local,
      deliveries: { queue: delivery, manifest: delivery },
      clock: this.clock,
      version: 'test',
      isPaused: () => this.isPaused,
      isBusy: () => replay.isBusy,
      onMoved: () => {},
    });
  }

  get isBusy(): boolean {
    return this.#parts.replay.isBusy;
  }

  /** The same object as long as nothing about it changed, as the worker's own are. */
  #target(): object | null {
    if (!this.assigned) return null;
    const next = {
      ...this.assigned,
      isReady: true,
      generation: this.#generation,
      carrierOf: () => 'batch',
      stateOf: () => 'bootstrapped',
      lastErrorOf: () => null,
      storeId: this.database.storeId,
    };
    if (JSON.stringify(next) !== JSON.stringify({ ...this.#lastTarget, endpoints: undefined }))
      this.#lastTarget = { ...next, endpoints: new Map() };
    return this.#lastTarget;
  }

  #proxied(delivery: LaneDelivery): Destination | null {
    const mark = delivery.mark();
    if (!mark || this.isPaused) return null;
    return {
      database: mark.database,
      beacon: mark.beacon,
      carrier: new OneByOneCarrier(this.database, this.offers),
    };
  }

  /** Accepts writes; Seqs in their order. */
  append(...envelopes: WriteEnvelope[]): number[] {
    return this.local.journal.append(envelopes, this.clock.nowMs()).map((one) => {
      if (one instanceof TidemarkError) throw one;
      return one.seq;
    });
  }

  /** The beacon was there anew: what is known of its database is looked at again. */
  returns(): void {
    this.#generation += 1;
  }

  /** Something changed; the lane works on while the test does other things. */
  wake(): void {
    this.#parts.replay.wake();
  }

  /** Wakes the lane and lets it work until it has nothing to do, back-offs included. */
  async rest(): Promise<void> {
    this.#parts.replay.wake();
    for (let quiet = 0; quiet < 3;) {
      const before = this.#activity();
      if (before > callsMax) throw new Error('the replay does not come to rest');
      await nextTurn();
      await nextTurn();
      if (this.clock.waiting > 0) await this.clock.advance(10_000);
      quiet = this.#activity() === before && this.clock.waiting === 0 ? quiet + 1 : 0;
    }
  }

  #activity(): number {
    return [...this.databases.values()].reduce((sum, one) => sum + one.calls.length, 0);
  }

  /** The process ends and starts again over the same files. */
  async restart(): Promise<void> {
    await this.#stop();
    this.#parts = this.#start();
  }

  async #stop(): Promise<void> {
    const { replay, local } = this.#parts;
    await replay.stop();
    local.store.close();
  }

  async end(): Promise<void> {
    await this.#stop();
    this.#dir[Symbol.dispose]();
  }
}
