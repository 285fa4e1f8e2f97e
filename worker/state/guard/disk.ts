/**
 * The disk below the data directory: how much is free, and the reserve that is given up when it is
 * full all the same.
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
 * What an unprivileged process may still write, and the size of the whole; null when the file
 * system does not say.
 */
export function roomAt(path: string): DiskRoom | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    // No answer is no news: it must neither stop intake nor end the process.
    return null;
  }
}

/** A file of real bytes that holds room. Only one step runs at a time. */
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
   * Size on a disk: small ones give a small part, and none where the file cannot be made for
   * another reason than room.
   */
  sizeFor(totalBytes: number): number {
    return this.#isOff
      ? this.bytes
      : Math.floor(Math.min(limits.reserveBytes, totalBytes * limits.reserveShare));
  }

  /**
   * Writes it, block by block beside the loop; false when there was no room for it. What is there
   * in the right size stays.
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
      // Half a reserve is in the way of the writes it is there for.
      await rm(beside, { force: true }).catch(() => undefined);
      return this.#isOff;
    }
  }

  /** Gives the room back; the number of bytes, 0 when there was none. */
  giveUp(): number {
    const { bytes } = this;
    rmSync(this.#path, { force: true });
    return bytes;
  }
}

/**
 * Opens what needs room to be opened. On a full disk the reserve is given up, so that the next try
 * finds its room: a worker that cannot start delivers nothing.
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
