/**
 * Two machines of one hub in a simulated world: another store takes over, while the one before is
 * dead, or goes on as a zombie; and the one before comes back by an operator's word.
 */
import type { Disk, Image } from './disk.ts';
import type { SimBus } from './sim-bus.ts';
import type { SimWorker } from './sim-worker.ts';

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
