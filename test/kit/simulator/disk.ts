/**
 * The disk of a simulated worker: real files in a folder in memory, and what a crash leaves of
 * them.
 *
 * What a power loss keeps follows from the connection's own `synchronous`: with FULL every commit,
 * with NORMAL what was there at the last checkpoint. Of what was written behind that, any 512-byte
 * sectors may have arrived and any others not.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '../../../worker/state/connection.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import type { Store } from '../../../worker/state/store.ts';
import type { Dice } from './dice.ts';

export type Image = { db: Buffer; wal: Buffer };

const sectorBytes = 512;
const nothing = Buffer.alloc(0);

/** Thrown into the process that loses its power. */
export class PowerLoss extends Error {}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return nothing;
  }
}

/**
 * What is on the disk when a write of `after` over `before` was cut off: each changed sector is new
 * or old.
 */
function torn(before: Buffer, after: Buffer, dice: Dice): Buffer {
  if (before.equals(after)) return after;
  const share = dice.pick([0, 0.3, 0.7, 0.95, 1]);
  const result = Buffer.alloc(Math.max(before.length, after.length));
  before.copy(result);
  let end = before.length;
  for (let from = 0; from < after.length; from += sectorBytes) {
    const sector = after.subarray(from, from + sectorBytes);
    if (before.subarray(from, from + sectorBytes).equals(sector) || !dice.chance(share)) continue;
    sector.copy(result, from);
    end = Math.max(end, from + sector.length);
  }
  return result.subarray(0, end);
}

let template: Buffer | null = null;

/** A new store as the product makes it, made once a process. */
function newStore(root: string): Buffer {
  if (template) return template;
  const dir = join(root, 'template');
  openStore(dir, () => undefined, { isAnyFileSystem: true }).close();
  template = readFileSync(pathsOf(dir).db);
  rmSync(dir, { recursive: true });
  return template;
}

export class Disk {
  readonly #root: string;
  readonly #dice: Dice;
  #count = 0;
  #dir = '';
  #store: Store | null = null;
  #synced: Image = { db: nothing, wal: nothing };
  /** Commits until the power goes in the middle of one; 0 when it stays. */
  commitsToCrash = 0;
  /** Another file lies at the path than the one the worker has open. */
  isLost = false;
  /** Told of what the recovery of a start found. */
  onFinding: (what: string) => void = () => undefined;
  /** Told with what the disk holds when the power went in the middle of a commit. */
  onPowerLoss: (left: Image) => void = () => undefined;

  constructor(root: string, dice: Dice) {
    this.#root = root;
    this.#dice = dice;
    this.put({ db: newStore(root), wal: nothing });
  }

  get paths() {
    return pathsOf(this.#dir);
  }

  /** The disk holds this from now on; null is an empty one. */
  put(image: Image | null): void {
    if (this.#store?.db.open) this.#store.close();
    this.#store = null;
    if (this.#dir) rmSync(this.#dir, { recursive: true, force: true });
    this.#dir = join(this.#root, String(this.#count++));
    mkdirSync(this.paths.stateDir, { recursive: true });
    if (!image) return;
    writeFileSync(this.paths.db, image.db);
    if (image.wal.length > 0) writeFileSync(this.paths.wal, image.wal);
  }

  /** Opens what the disk holds, with the product's own recovery. */
  open(prepare: (db: Connection) => void): Store {
    const store = openStore(this.#dir, (finding) => this.onFinding(finding.Class), {
      isAnyFileSystem: true,
    });
    this.#store = store;
    this.commitsToCrash = 0;
    this.isLost = false;
    prepare(store.db);
    this.#watch(store.db);
    this.#synced = this.image();
    return store;
  }

  /** The files at their paths as they are now. */
  image(): Image {
    return { db: contentOf(this.paths.db), wal: contentOf(this.paths.wal) };
  }

  /**
   * What is left when the process dies (everything written), or the power goes (everything synced,
   * and parts of the rest).
   */
  left(isPowerLoss: boolean): Image {
    const now = this.image();
    const isSynced =
      this.#store?.db.open !== true ||
      Number(this.#store.db.pragma('synchronous', { simple: true })) >= 2;
    if (!isPowerLoss || isSynced || this.isLost) return now;
    return { db: now.db, wal: torn(this.#synced.wal, now.wal, this.#dice) };
  }

  /**
   * A checkpoint; cut off in the middle it has written some pages, and the log is whole. What is
   * left then, else null.
   */
  checkpoint(isCutOff: boolean): Image | null {
    const before = this.image();
    this.#store?.checkpoint();
    const after = this.image();
    this.#synced = after;
    return isCutOff ? { db: torn(before.db, after.db, this.#dice), wal: before.wal } : null;
  }

  /** Somebody puts a copy in the place of the file. */
  replace(): void {
    this.#store?.checkpoint('truncate');
    const beside = `${this.paths.db}.copy`;
    writeFileSync(beside, readFileSync(this.paths.db));
    renameSync(beside, this.paths.db);
    rmSync(this.paths.wal, { force: true });
    rmSync(this.paths.shm, { force: true });
    this.isLost = true;
  }

  /** The file may not grow, or may again. */
  setFull(isFull: boolean): void {
    const db = this.#store?.db;
    if (!db?.open) return;
    db.pragma(
      `max_page_count = ${isFull ? Number(db.pragma('page_count', { simple: true })) : 1_000_000_000}`,
    );
  }

  /** Lets the power go in the middle of a commit when it is time for it. */
  #watch(db: Connection): void {
    type Run = (...given: unknown[]) => unknown;
    const begin = db.transaction.bind(db) as (steps: Run) => Run & { immediate: Run };
    const watched =
      (run: Run): Run =>
      (...given) => {
        if (db.inTransaction || this.commitsToCrash === 0 || --this.commitsToCrash > 0)
          return run(...given);
        const before = this.image();
        run(...given);
        this.onPowerLoss(this.#middle(before, this.image()));
        throw new PowerLoss('the power went in a commit, before anybody was answered');
      };
    const replacement = (steps: Run) => {
      const transaction = begin(steps);
      return Object.assign(watched(transaction), { immediate: watched(transaction.immediate) });
    };
    (db as unknown as { transaction: unknown }).transaction = replacement;
  }

  /** The log is synced before a checkpoint begins, so only one of the two is cut off. */
  #middle(before: Image, after: Image): Image {
    if (this.isLost) return after;
    if (!before.db.equals(after.db) && this.#dice.chance(0.5))
      return { db: torn(before.db, after.db, this.#dice), wal: after.wal };
    return { db: before.db, wal: torn(before.wal, after.wal, this.#dice) };
  }

  end(): void {
    if (this.#store?.db.open) this.#store.close();
    rmSync(this.#root, { recursive: true, force: true });
  }
}
