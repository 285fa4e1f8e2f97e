/**
 * The disk of the data directory: how much of it is free, and the reserve, a file that is deleted
 * when the disk is full so that delivery goes on.
 */
import { open, rename, rm } from 'node:fs/promises';
import { rmSync, statfsSync, statSync } from 'node:fs';
import { limits } from '../../../contracts/limits.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { StatePaths } from '../paths.ts';
import { classOf } from './storage-error.ts';

export type DiskRoom = { freeBytes: number; totalBytes: number };

const blockBytes = 1024 * 1024;

/**
 * The bytes that an unprivileged process may still write, and the size of the disk; null when the
 * file system does not say.
 */
export function roomAt(path: string): DiskRoom | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    // A missing answer must neither stop intake nor end the process.
    return null;
  }
}

/** A file of real bytes that keeps room back. It is written once at a time. */
export class Reserve {
  readonly #path: string;
  #making: Promise<boolean> | null = null;
  #isOff = false;

  constructor(paths: StatePaths) {
    this.#path = paths.reserve;
  }

  get bytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /**
   * The size for a disk: a small share of a small disk. When the file cannot be made for a reason
   * other than room, the size it has now.
   */
  sizeFor(totalBytes: number): number {
    return this.#isOff
      ? this.bytes
      : Math.floor(Math.min(limits.reserveBytes, totalBytes * limits.reserveShare));
  }

  /**
   * Writes the reserve block by block, so that other work goes on in between. False when there was
   * no room. A reserve of the right size stays as it is.
   */
  make(bytes: number): Promise<boolean> {
    if (this.bytes === bytes) return Promise.resolve(true);
    this.#making ??= this.#write(bytes).finally(() => {
      this.#making = null;
    });
    return this.#making;
  }

  async #write(bytes: number): Promise<boolean> {
    const beside = `${this.#path}.tmp`;
    try {
      const file = await open(beside, 'w', 0o600);
      try {
        for (let left = bytes; left > 0; left -= blockBytes) {
          await file.write(Buffer.alloc(Math.min(left, blockBytes)));
          await nextTurn();
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, this.#path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      this.#isOff = code !== 'ENOSPC' && code !== 'EDQUOT';
      // Half a reserve would take room from the writes it is meant for.
      await rm(beside, { force: true }).catch(() => undefined);
      return this.#isOff;
    }
  }

  /** Deletes the reserve. Returns how many bytes that freed, 0 when there was none. */
  giveUp(): number {
    const { bytes } = this;
    rmSync(this.#path, { force: true });
    return bytes;
  }
}

/**
 * Calls `open`, which needs room. On a full disk it gives up the reserve and throws, so that the
 * next try has room: a worker that cannot start delivers nothing.
 */
export function withReserve<T>(paths: StatePaths, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (isFull(error)) new Reserve(paths).giveUp();
    throw error;
  }
}

function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    classOf(error) === 'capacity' ||
    (error as NodeJS.ErrnoException).code === 'ENOSPC' ||
    isFull(error.cause)
  );
}
