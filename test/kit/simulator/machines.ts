/** Changes of the owner in a simulated world: from one machine to another, and back. */
import { join } from 'node:path';
import type { Disk, Image } from './disk.ts';
import type { SimBus } from './sim-bus.ts';
import type { SimWorker } from './sim-worker.ts';

/** The machine that is the hub's now. */
export type Machine = {
  disk: Disk;
  bus: SimBus | null;
  worker: SimWorker | null;
  left: Image | null;
};

/** A machine that is not the hub's any more. */
export class Rival {
  readonly disk: Disk;
  readonly bus: SimBus | null;
  readonly #worker: SimWorker | null;
  /** What its disk holds once its process is gone. */
  #left: Image | null;

  constructor(parts: {
    disk: Disk;
    bus: SimBus | null;
    worker: SimWorker | null;
    left: Image | null;
  }) {
    this.disk = parts.disk;
    this.bus = parts.bus;
    this.#worker = parts.worker;
    this.#left = parts.left;
    this.disk.commitsToCrash = 0;
    this.disk.onPowerLoss = (left) => this.#end(left);
    // Without a Term it gives way as soon as it hears of the other on the bus.
    if (this.#worker?.local.store.db.open && this.#worker.local.journal.owners.isNew) this.end();
  }

  isWorker(worker: SimWorker): boolean {
    return worker === this.#worker;
  }

  /** Its process still runs, and believes that the hub is its own. */
  get zombie(): SimWorker | null {
    return this.#worker && !this.#worker.isDead ? this.#worker : null;
  }

  /** It ends: killed, or because it met the owner. */
  end(): void {
    this.#end(this.disk.left(false));
  }

  #end(left: Image): void {
    if (!this.zombie) return;
    this.#left = left;
    this.#worker?.kill();
  }

  /** Its disk, holding what its process left. */
  revived(): Disk {
    this.end();
    if (this.#left) this.disk.put(this.#left);
    return this.disk;
  }
}

export class Machines {
  readonly #root: string;
  readonly #makeDisk: (root: string) => Disk;
  #count = 0;
  /** Owners of the hub, in the order in which they began. */
  readonly owners: string[] = [];
  /** The machine that was the hub's before; null while there was none. */
  rival: Rival | null = null;

  constructor(root: string, makeDisk: (root: string) => Disk) {
    this.#root = root;
    this.#makeDisk = makeDisk;
  }

  began(worker: SimWorker): void {
    const { owner } = worker.local.journal.owners.current;
    if (!this.owners.includes(owner)) this.owners.push(owner);
  }

  /** Another machine, with an empty disk; the one of now goes on as a zombie, if it lives. */
  usurp(machine: Machine): Disk {
    this.rival?.end();
    this.rival?.disk.put(null);
    this.rival = new Rival(machine);
    this.#count += 1;
    const disk = this.#makeDisk(join(this.#root, `machine-${this.#count}`));
    disk.put(null);
    return disk;
  }

  /** The machine of before, with what its disk holds; null while there was none. */
  comeBack(machine: Machine): Disk | null {
    const revived = this.rival?.revived() ?? null;
    if (revived) this.rival = new Rival(machine);
    return revived;
  }

  end(): void {
    this.rival?.zombie?.kill();
    this.rival?.disk.end();
  }
}
