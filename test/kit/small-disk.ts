/** A disk of a few megabytes of its own for a process: a memory file system in a mount namespace, which needs no privileges where users may have namespaces. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const blockBytes = 64 * 1024;

export class SmallDisk {
  readonly env: Record<string, string> = {};
  readonly #bytes: number;
  #path = '';

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Whether this machine lets us have one. */
  static get isPossible(): boolean {
    return spawnSync('unshare', ['-Urm', 'sh', '-c', 'mount -t tmpfs -o size=1m tmpfs /mnt']).status === 0;
  }

  /** The words before a command that give it this disk at a path. */
  wrap(path: string): string[] {
    this.#path = path;
    return ['unshare', '-Urm', 'sh', '-c', `mkdir -p "$0" && mount -t tmpfs -o size=${this.#bytes},mode=0700 tmpfs "$0" && exec "$@"`, path];
  }

  /** Another process fills it: to the last byte, or until `leftBytes` are free. */
  fill(pid: number, leftBytes = 0): void {
    const path = this.at(pid, 'ballast');
    const file = openSync(path, 'w');
    const block = Buffer.alloc(blockBytes, 1);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
    if (leftBytes > 0) spawnSync('truncate', ['-s', `-${leftBytes}`, path]);
  }

  empty(pid: number): void {
    rmSync(this.at(pid, 'ballast'));
  }

  /** A path on the disk of a running process, as others see it. */
  at(pid: number, ...parts: string[]): string {
    return join('/proc', String(pid), 'root', this.#path, ...parts);
  }
}
