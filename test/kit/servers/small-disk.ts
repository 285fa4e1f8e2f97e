/**
 * A disk of a few megabytes of its own for a process: a memory file system in a mount namespace,
 * which needs no privileges where users may have namespaces.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../until.ts';

const blockBytes = 64 * 1024;

export class SmallDisk implements Disposable {
  readonly #bytes: number;
  /** Holds the namespace, so that the disk outlives the processes on it. */
  #holder: ChildProcess | null = null;
  #path = '';

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Whether this machine lets us have one. */
  static get isPossible(): boolean {
    return (
      spawnSync('unshare', ['-Urm', 'sh', '-c', 'mount -t tmpfs -o size=1m tmpfs /mnt']).status ===
      0
    );
  }

  /** Mounts it at a path that only those see who are started with `wrap`. */
  async mount(path: string): Promise<void> {
    this.#path = path;
    mkdirSync(path, { recursive: true });
    const script =
      `mount -t tmpfs -o size=${this.#bytes},mode=0700 tmpfs "$0" && touch "$0/mounted" ` +
      '&& exec sleep 3600';
    this.#holder = spawn('unshare', ['-Urm', 'sh', '-c', script, path], { stdio: 'ignore' });
    await until('the small disk is mounted', () => existsSync(this.at('mounted')));
  }

  /** The words before a command that lives with this disk. */
  get wrap(): string[] {
    return ['nsenter', '--preserve-credentials', '-U', '-m', '-t', String(this.#holder?.pid), '--'];
  }

  /** Another process fills it: to the last byte, or until `leftBytes` are free. */
  fill(leftBytes = 0): void {
    const path = this.at('ballast');
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

  empty(): void {
    rmSync(this.at('ballast'));
  }

  /** A path on the disk, as others see it. */
  at(...parts: string[]): string {
    return join('/proc', String(this.#holder?.pid), 'root', this.#path, ...parts);
  }

  [Symbol.dispose](): void {
    this.#holder?.kill('SIGKILL');
  }
}
