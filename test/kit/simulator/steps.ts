/** What can happen in a simulated world: one step after the other, each drawn from the seed. */
import type { Image } from './disk.ts';
import type { SimBeacon } from './beacon.ts';
import type { Dice } from './dice.ts';
import type { World } from './world.ts';

/** What a seed is about: not everything happens in every world. */
export type Profile = {
  steps: number;
  refusals: number;
  canLoseJournal: boolean;
  canShiftClock: boolean;
  /** Another store may take the hub over. */
  canUsurp: boolean;
};

export function drawProfile(dice: Dice, isFenceable: boolean): Profile {
  const canUsurp = isFenceable && dice.chance(0.25);
  const canLoseJournal = !canUsurp && dice.chance(0.15);
  return {
    steps: 20 + dice.below(50),
    refusals: dice.pick([0, 0, 0.04, 0.15]),
    canUsurp,
    canLoseJournal,
    canShiftClock: !canLoseJournal && dice.chance(0.2),
  };
}

const weights = {
  write: 34,
  wait: 8,
  repeat: 3,
  probe: 2,
  crash: 3,
  crashInCommit: 4,
  checkpoint: 3,
  stop: 1,
  replace: 1,
  full: 1.5,
  beaconDown: 4,
  beaconBack: 3,
  restart: 1.5,
  backup: 2,
  restore: 1.5,
  failover: 1,
  exchange: 0.5,
  weather: 4,
  pause: 1.5,
  assign: 1.5,
  retry: 3,
  drop: 1.5,
  mend: 1.5,
  sweep: 5,
  shift: 1,
  loseJournal: 1,
  keepJournal: 1,
  usurp: 2,
  comeBack: 1.5,
} as const;
type StepName = keyof typeof weights;

const pauses = [0, 0, 1, 3, 20, 120, 700, 2_500, 7_000];

export class Steps {
  readonly #world: World;
  readonly #profile: Profile;
  #kept: Image | null = null;
  #stores = 2;

  constructor(world: World, profile: Profile) {
    this.#world = world;
    this.#profile = profile;
  }

  /** One step, and some time after it. */
  async take(): Promise<void> {
    const { dice } = this.#world;
    const name: StepName = dice.weighted(weights);
    this.#world.note(name);
    await this.#do(name);
    await this.#world.advance(dice.pick(pauses));
  }

  async #do(name: StepName): Promise<void> {
    const { hub, disk } = this.#world;
    switch (name) {
      case 'write':
        return this.#write();
      case 'repeat':
        return hub.repeat();
      case 'probe':
        return hub.probe();
      case 'crash':
        return this.#world.crash(this.#world.dice.chance(0.6));
      case 'crashInCommit':
        disk.commitsToCrash = 1 + this.#world.dice.below(6);
        return;
      case 'stop':
        return this.#world.stop();
      case 'usurp':
      case 'comeBack':
        return this.#changeOwner(name);
      case 'wait':
        return;
      case 'checkpoint':
      case 'replace':
      case 'full':
      case 'loseJournal':
      case 'keepJournal':
        return this.#toDisk(name);
      case 'pause':
      case 'assign':
      case 'retry':
      case 'drop':
      case 'mend':
        return this.#operate(name);
      default:
        return this.#toBeacons(name);
    }
  }

  #write(): void {
    const { hub, dice, beacons } = this.#world;
    for (const write of hub.write()) {
      if (write.isRemoval || !dice.chance(this.#profile.refusals)) continue;
      for (const { database } of beacons.values()) database.refused.add(write.name);
      this.#world.note(`  write ${write.name} of ${write.key} will be refused`);
    }
  }

  #changeOwner(name: 'usurp' | 'comeBack'): void {
    const world = this.#world;
    const { dice, worker, disk } = world;
    if (!this.#profile.canUsurp || !worker || worker.isDead || disk.isLost) return;
    if (name === 'comeBack') return world.comeBack();
    // A replacement's clock may be behind.
    if (dice.chance(0.5)) world.clock.shiftWall(-600_000);
    world.usurp(dice.chance(0.7));
  }

  #toDisk(name: 'checkpoint' | 'replace' | 'full' | 'loseJournal' | 'keepJournal'): void {
    const world = this.#world;
    const { disk, dice, worker } = world;
    if (!worker || worker.isDead || disk.isLost) return;
    if (name === 'checkpoint') {
      const left = disk.checkpoint(dice.chance(0.3));
      if (!left) return;
      world.crash(false, 'the power went in a checkpoint');
      world.left = left;
    } else if (name === 'replace') disk.replace();
    else if (name === 'full') disk.setFull(dice.chance(0.6));
    else if (!this.#profile.canLoseJournal) return;
    else if (name === 'keepJournal') this.#kept = disk.image();
    else world.loseJournal(dice.chance(0.5) ? this.#kept : null);
  }

  #operate(name: 'pause' | 'assign' | 'retry' | 'drop' | 'mend'): void {
    const { worker, dice, ledger, beacons } = this.#world;
    // What an operator says to a worker whose file is gone is not kept in this world, which has no
    // rescue.
    if (!worker || worker.isDead || this.#world.disk.isLost) return;
    if (name === 'pause')
      worker.operate(worker.core.delivery.destinations.isPaused ? 'resume' : 'pause', {});
    else if (name === 'assign')
      worker.operate('assign', {
        BeaconID: worker.assigned('queue') === 'a' ? 'b' : 'a',
        IDBeaconConnection: 1,
      });
    else {
      const dead = this.#world.deadLetters();
      if (dead.length === 0) return;
      const { Seq } = dice.pick(dead);
      const write = ledger.bySeq(Seq);
      if (write && name !== 'drop' && dice.chance(0.7))
        for (const { database } of beacons.values()) database.refused.delete(write.name);
      if (name !== 'mend') worker.operate('dead-letters', { Verb: name, Seq });
    }
  }

  #toBeacons(
    name:
      | 'beaconDown'
      | 'beaconBack'
      | 'restart'
      | 'backup'
      | 'restore'
      | 'failover'
      | 'exchange'
      | 'weather'
      | 'sweep'
      | 'shift',
  ): void {
    const world = this.#world;
    const { dice, beacons } = world;
    const beacon = beacons.get(dice.pick(['a', 'a', 'b'])) as SimBeacon;
    if (name === 'sweep') {
      if (!world.worker?.isDead) world.worker?.sweep();
    } else if (name === 'shift') {
      if (this.#profile.canShiftClock)
        world.clock.shiftWall(dice.pick([-3_600_000, -20_000, -500, 60_000]));
    } else if (name === 'weather') {
      world.weather = {
        lost: dice.pick([0, 0, 0.05, 0.3]),
        late: dice.pick([0, 0.1]),
        twice: dice.pick([0, 0.2]),
        liar: dice.pick([0, 0, 0.1]),
        delayMs: dice.pick([1, 5, 200, 1_500]),
      };
    } else if (name === 'beaconDown') beacon.isUp = false;
    else if (name === 'backup') beacon.backups.push(beacon.database.backup());
    else if (name === 'failover') this.#goesBack(beacon);
    else this.#comesBack(name, beacon);
  }

  /** A beacon starts anew, perhaps over a database of before, or another. */
  #comesBack(name: 'beaconBack' | 'restart' | 'restore' | 'exchange', beacon: SimBeacon): void {
    const world = this.#world;
    if (name === 'beaconBack' && beacon.isUp) return;
    if (name === 'restore' && !this.#goesBack(beacon)) return;
    if (name === 'exchange') {
      beacon.database.exchange(`store-${beacon.id}-${this.#stores++}`);
      beacon.backups = [];
      world.checks.travelled(beacon.id);
    }
    beacon.restart();
    beacon.isUp = true;
    world.announce(beacon);
  }

  /**
   * The database behind a beacon is what it was at its last backup. Without mark rows nobody could
   * notice.
   */
  #goesBack(beacon: SimBeacon): boolean {
    const backup = beacon.backups.at(-1);
    if (!backup || beacon.kind === 'proxy') return false;
    beacon.database.restore(backup);
    this.#world.checks.travelled(beacon.id);
    return true;
  }
}
