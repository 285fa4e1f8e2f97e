/**
 * A whole simulated world in one process: hub, bus, worker, disk, beacons and clock, all moved by
 * one seed.
 */
import type { Local } from '../../../worker/journal/local.ts';
import { SimBeacon, type Witness } from './beacon.ts';
import { Checks } from './checks.ts';
import { Dice } from './dice.ts';
import { Disk, type Image } from './disk.ts';
import { Hub } from './hub.ts';
import { Ledger } from './ledger.ts';
import type { Mutant } from './mutant.ts';
import { fair, SimBus, type Weather } from './sim-bus.ts';
import { ProcessClock, SimClock } from './sim-clock.ts';
import { Machines, type Rival } from './machines.ts';
import { SimWorker } from './sim-worker.ts';
import type { Trace } from './trace-log.ts';

const presenceEveryMs = 2_000;

export class World {
  readonly dice: Dice;
  readonly clock = new SimClock();
  readonly beacons: ReadonlyMap<string, SimBeacon>;
  readonly ledger: Ledger;
  readonly hub: Hub;
  disk: Disk;
  readonly checks: Checks;
  readonly #trace: Trace;
  readonly #mutant: Mutant | null;
  weather: Weather = { ...fair };
  worker: SimWorker | null = null;
  bus: SimBus | null = null;
  readonly #machines: Machines;
  /** What the disk held when the process died, until it is started again. */
  left: Image | null = null;

  constructor(parts: { seed: number; root: string; trace: Trace; mutant: Mutant | null }) {
    this.dice = new Dice(parts.seed);
    this.#trace = parts.trace;
    this.#mutant = parts.mutant;
    const { dice, clock } = this;
    const witness: Witness = {
      note: (line) => this.note(line),
      violate: (what) => this.#trace.violate(what),
    };
    this.beacons = new Map([
      ['a', new SimBeacon('a', 'batch', witness)],
      ['b', new SimBeacon('b', dice.chance(0.5) ? 'proxy' : 'batch', witness)],
    ]);
    for (const { database } of this.beacons.values()) parts.mutant?.database?.(database);
    this.ledger = new Ledger(dice, witness);
    this.hub = new Hub({
      ledger: this.ledger,
      dice,
      clock,
      weather: () => this.weather,
      serve: async (message) => {
        // A write that reaches a zombie, whose answer the hub does not get.
        const { zombie } = this;
        if (zombie && dice.chance(0.3)) return zombie.answers(message).then(() => null);
        const { worker } = this;
        const answers = (await worker?.answers(message)) ?? null;
        if (worker !== this.worker) return null;
        if (answers) {
          message.answered(answers);
          this.note(
            `  answered ${message.subject} ` +
              answers
                .map((one) =>
                  one.Success ? `${this.#short(one.Seq)}${one.Duplicate ? '*' : ''}` : one.Code,
                )
                .join(' '),
          );
        }
        return answers;
      },
    });
    this.#machines = new Machines(parts.root, (root) => this.#attached(new Disk(root, dice)));
    for (const beacon of this.beacons.values()) beacon.owners = this.#machines.owners;
    this.disk = this.#attached(new Disk(parts.root, dice));
    this.checks = new Checks(this.ledger, this.beacons, witness);
    for (const beacon of this.beacons.values()) this.#announceEvery(beacon);
  }

  #attached(disk: Disk): Disk {
    disk.onPowerLoss = (image) => this.#died(image, 'the power went in a commit');
    disk.onFinding = (what) => this.note(`  found: ${what}`);
    return disk;
  }

  /** Every database has a mark row, which tells a later owner from an earlier one. */
  get isFenceable(): boolean {
    return [...this.beacons.values()].every(({ kind }) => kind === 'batch');
  }

  get rival(): Rival | null {
    return this.#machines.rival;
  }

  get zombie(): SimWorker | null {
    return this.rival?.zombie ?? null;
  }

  get now(): number {
    return this.clock.wallMs;
  }

  note(line: string): void {
    this.#trace.note(`${this.clock.elapsedMs.toFixed(1)} ${line}`);
  }

  violate(what: string): void {
    this.#trace.violate(what);
  }

  /** Seqs of a run are told by how far they are from its beginning. */
  #short(seq: number): string {
    return String(seq - Date.UTC(2026, 0, 1) * 1_000);
  }

  #announceEvery(beacon: SimBeacon): void {
    this.announce(beacon);
    this.clock.timer(presenceEveryMs, () => this.#announceEvery(beacon));
  }

  /** The beacon says that it is there; the message takes its time, or is lost. */
  announce(beacon: SimBeacon): void {
    if (!beacon.isUp || this.dice.chance(this.weather.lost)) return;
    const { nonce } = beacon;
    this.clock.timer(this.dice.real() * this.weather.delayMs, () => {
      if (beacon.nonce !== nonce) return;
      this.bus?.hear(beacon.presence());
      if (this.zombie) this.rival?.bus?.hear(beacon.presence());
    });
  }

  /** The worker process starts over what the disk holds. */
  start(takesOver = false): void {
    const { clock, dice, beacons } = this;
    // What a worker learnt of a database while its file was replaced is lost with that file: this
    // world has no rescue.
    if (this.disk.isLost)
      for (const { id, database } of beacons.values()) {
        this.checks.travelled(id);
        database.unreported.add('queue').add('manifest');
      }
    this.#mutant?.beforeOpen?.(this.disk.paths);
    const store = this.disk.open((db) => this.#mutant?.opened?.(db));
    const bus = new SimBus({ clock, dice, beacons, weather: () => this.weather });
    const worker: SimWorker = new SimWorker({
      store,
      bus,
      clock: new ProcessClock(clock, dice),
      witness: { note: (line) => this.note(line), violate: (what) => this.violate(what) },
      onFault: ({ message }) => {
        if (this.rival?.isWorker(worker)) return this.rival.end();
        this.crash(false, `the worker ends itself: ${message.replace(/^.*state.db/, 'state.db')}`);
      },
      onDeposed: () => {
        this.note('  deposed');
        if (this.rival?.isWorker(worker)) return this.rival.end();
        this.violate('I11: the owner of the hub gave way to an earlier one');
      },
      takesOver,
      prepare: (local: Local) => this.#prepare(local),
    });
    this.#mutant?.worker?.(worker);
    this.#machines.began(worker);
    this.bus = bus;
    this.worker = worker;
    worker.start();
    for (const beacon of beacons.values()) this.announce(beacon);
    if (!worker.assigned('queue'))
      worker.operate('assign', { BeaconID: 'a', IDBeaconConnection: 1 });
    this.note('worker started');
  }

  /** The process dies here, with or without the power of the whole machine. */
  crash(isPowerLoss: boolean, why = isPowerLoss ? 'power loss' : 'kill'): void {
    if (!this.worker || this.worker.isDead) return;
    this.#died(this.disk.left(isPowerLoss), why);
  }

  #died(image: Image, why: string): void {
    if (!this.worker || this.worker.isDead) return;
    this.left = image;
    this.worker.kill();
    this.note(why);
  }

  /** An orderly stop, within the patience of whoever asked for it. */
  async stop(): Promise<void> {
    const { worker } = this;
    if (!worker || worker.isDead) return;
    const end = { isReached: false };
    void worker.stop().then(() => {
      end.isReached = true;
    });
    for (let waited = 0; !end.isReached && !worker.isDead && waited < 200; waited++)
      await this.clock.advance(250);
    if (worker.isDead) this.left ??= this.disk.image();
    else this.crash(false, 'killed while stopping');
    this.note('stopped');
  }

  /** Time goes on; a worker that died is started again, by whoever looks after it. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    if (!this.left) return;
    await this.clock.advance(1 + this.dice.below(3_000));
    this.disk.put(this.left);
    this.left = null;
    this.start();
  }

  /**
   * A mutant goes in; and what a database without mark rows took before its worker saw that it is
   * another has no order with what is sent again.
   */
  #prepare(local: Local): void {
    const rewind = local.marks.rewind.bind(local.marks);
    local.marks.rewind = (database, lane, to, again) => {
      const { beacon } = local.marks.list(lane).find((mark) => mark.database === database) ?? {};
      for (const one of this.beacons.values())
        if (one.id === beacon && one.kind === 'proxy') one.database.orderAnew();
      rewind(database, lane, to, again);
    };
    this.#mutant?.local?.(local);
  }

  /** The data directory is lost, or an older image of it is put back. */
  loseJournal(image: Image | null): void {
    this.check();
    this.crash(false, image ? 'an older data directory is put back' : 'the data directory is lost');
    this.left = null;
    this.disk.put(image);
    this.hub.forgetMessages();
    this.start();
    if (this.worker) this.checks.lostJournal(this.worker);
  }

  /** Another machine takes the hub over, with a store of its own; the one before dies, or does not. */
  usurp(isZombie: boolean): void {
    this.check();
    if (!isZombie) this.crash(false, 'the machine is lost');
    this.disk = this.#machines.usurp(this);
    this.#changeOwner(false);
  }

  /** The machine of before comes back, told to take over. */
  comeBack(): void {
    this.check();
    const disk = this.#machines.comeBack(this);
    if (!disk) return;
    this.disk = this.#attached(disk);
    this.#changeOwner(true);
  }

  #changeOwner(takesOver: boolean): void {
    this.left = null;
    this.hub.forgetMessages();
    for (const { database } of this.beacons.values())
      database.unreported.add('queue').add('manifest');
    this.start(takesOver);
    if (this.worker) this.checks.changedOwner(this.worker);
  }

  /** I1 to I11, unless nobody is there to be asked. */
  check(): void {
    if (this.worker && !this.worker.isDead && !this.disk.isLost) this.checks.run(this.worker);
  }

  /** A violation was found. */
  get isOver(): boolean {
    return this.#trace.violation !== null;
  }

  deadLetters(): { Seq: number; Reason: string }[] {
    const listed = this.worker?.operate('dead-letters', { Verb: 'list' }) as
      | { DeadLetters: { Seq: number; Reason: string }[] }
      | null
      | undefined;
    return listed?.DeadLetters ?? [];
  }

  end(): void {
    this.worker?.kill();
    this.disk.end();
    this.#machines.end();
  }
}
