/**
 * A disk as a power cut leaves it: what was synced before the cut, and of what was not a random
 * part, sector by sector.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FileOperation } from '../fault-layer/fault-layer.ts';

const sectorBytes = 512;

type Change = { kind: 'write'; offset: number; data: Buffer } | { kind: 'truncate'; size: number };

class RecordedFile {
  #bytes = Buffer.alloc(0);
  #size = 0;
  pending: Change[] = [];

  /** Everything done so far is on the medium. */
  sync(): void {
    for (const change of this.pending) this.#apply(change);
    this.pending = [];
  }

  #apply(change: Change): void {
    if (change.kind === 'truncate') {
      this.#grow(change.size);
      this.#bytes.fill(0, change.size);
      this.#size = change.size;
      return;
    }
    const end = change.offset + change.data.length;
    this.#grow(end);
    change.data.copy(this.#bytes, change.offset);
    this.#size = Math.max(this.#size, end);
  }

  #grow(size: number): void {
    if (size <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(size, this.#bytes.length * 2));
    this.#bytes.copy(grown);
    this.#bytes = grown;
  }

  /** The content with those un-synced sectors that `isKept` keeps. */
  after(isKept: () => boolean): Buffer {
    const file = new RecordedFile();
    file.#bytes = Buffer.from(this.#bytes.subarray(0, this.#size));
    file.#size = this.#size;
    for (const change of this.pending) {
      if (change.kind === 'truncate') {
        if (isKept()) file.#apply(change);
      } else {
        for (const part of sectorsOf(change)) if (isKept()) file.#apply(part);
      }
    }
    return file.#bytes.subarray(0, file.#size);
  }
}

function* sectorsOf({ offset, data }: { offset: number; data: Buffer }): Generator<Change> {
  for (let at = 0; at < data.length;) {
    const bytes = Math.min(sectorBytes - ((offset + at) % sectorBytes), data.length - at);
    yield { kind: 'write', offset: offset + at, data: data.subarray(at, at + bytes) };
    at += bytes;
  }
}

type Name = RecordedFile | 'folder';
type NameChange = { path: string; to: Name | { from: string; isLink: boolean } | null };

/**
 * How the file system keeps names: `journaled` commits all of them with any sync, `strict` those of
 * a folder with the sync of that folder.
 */
export type NameRule = 'journaled' | 'strict';

export class RecordedDisk {
  readonly #rule: NameRule;
  readonly #now = new Map<string, Name>();
  readonly #kept = new Map<string, Name>();
  #pendingNames: NameChange[] = [];
  /** A broken disk, or a program that does not ask: no sync does anything. */
  readonly #isSyncIgnored: boolean;

  constructor(rule: NameRule, isSyncIgnored = false) {
    this.#rule = rule;
    this.#isSyncIgnored = isSyncIgnored;
  }

  apply({ kind, path, offset, data }: FileOperation): void {
    switch (kind) {
      case 'create':
        if (!this.#now.has(path)) this.#name({ path, to: new RecordedFile() });
        return;
      case 'write':
        this.#file(path)?.pending.push({ kind: 'write', offset, data });
        return;
      case 'truncate':
        this.#file(path)?.pending.push({ kind: 'truncate', size: offset });
        return;
      case 'mkdir':
        this.#name({ path, to: 'folder' });
        return;
      case 'unlink':
        this.#name({ path, to: null });
        return;
      case 'rename':
      case 'link':
        this.#name({ path: data.toString(), to: { from: path, isLink: kind === 'link' } });
        return;
      case 'sync':
        if (!this.#isSyncIgnored) this.#sync(path);
        return;
      default:
        throw new Error(`unknown operation on ${path}`);
    }
  }

  #file(path: string): RecordedFile | null {
    const found = this.#now.get(path);
    return found === undefined || found === 'folder' ? null : found;
  }

  #name(change: NameChange): void {
    rename(this.#now, change);
    this.#pendingNames.push(change);
  }

  #sync(path: string): void {
    this.#file(path)?.sync();
    const isKept = (change: NameChange) =>
      this.#rule === 'journaled' || folderOf(change.path) === path;
    for (const change of this.#pendingNames.filter(isKept)) rename(this.#kept, change);
    this.#pendingNames = this.#pendingNames.filter((change) => !isKept(change));
  }

  /** Writes one possible state after a cut into an empty folder. `random` gives 0 to below 1. */
  writeTo(folder: string, random: () => number): void {
    const names = new Map(this.#kept);
    const alsoKept = this.#pendingNames.slice(
      0,
      Math.floor(random() * (this.#pendingNames.length + 1)),
    );
    for (const change of alsoKept) rename(names, change);
    // From none over half to all: a disk's cache may have been emptied just before, or not for
    // long.
    const share = Math.round(random() * 4) / 4;
    for (const [path, name] of names) {
      if (!areFoldersThere(names, path)) continue;
      const at = join(folder, path);
      mkdirSync(name === 'folder' ? at : dirname(at), { recursive: true, mode: 0o700 });
      if (name !== 'folder')
        writeFileSync(
          at,
          name.after(() => random() < share),
          { mode: 0o600 },
        );
    }
  }

  /** The disk without a cut. */
  files(): Map<string, Buffer> {
    return new Map(
      [...this.#now].flatMap(([path, name]): [string, Buffer][] =>
        name === 'folder' ? [] : [[path, name.after(() => true)]],
      ),
    );
  }
}

function folderOf(path: string): string {
  const folder = dirname(path);
  return folder === '.' ? '' : folder;
}

function areFoldersThere(names: ReadonlyMap<string, Name>, path: string): boolean {
  for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder))
    if (names.get(folder) !== 'folder') return false;
  return true;
}

/** Takes what lies below a folder along. */
function rename(names: Map<string, Name>, { path, to }: NameChange): void {
  if (to === null) names.delete(path);
  else if (to === 'folder' || to instanceof RecordedFile) names.set(path, to);
  else {
    for (const [name, value] of Array.from(names)) {
      if (name !== to.from && !name.startsWith(`${to.from}/`)) continue;
      if (!to.isLink) names.delete(name);
      names.set(path + name.slice(to.from.length), value);
    }
  }
}
