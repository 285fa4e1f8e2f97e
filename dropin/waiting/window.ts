/**
 * The writes of a bridge that are in memory: those of a key leave one at a time in the order they
 * came, those of different keys side by side.
 */
import { getHeapStatistics } from 'node:v8';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { Waiting } from './hub-file.ts';

/** Somebody waits for the answer of a write, since then. */
export type Caller = {
  sinceMs: number;
  resolve: (reply: JsonObject) => void;
  reject: (error: unknown) => void;
};

export type Held = Waiting & {
  isInFile: boolean;
  caller: Caller | null;
  isLeaving: boolean;
  tries: number;
};

export type WindowBounds = { writesMax: number; charsMax: number };

/** What all bridges of this process hold together stays well below what V8 has. */
const heap = { bytes: 0, bytesMax: Math.floor(getHeapStatistics().heap_size_limit / 4) };

const bytesOf = (text: string) => text.length + limits.dropinWriteBytes;

export class Window {
  readonly #held = new Map<number, Held>();
  readonly #keys = new Map<string, Held[]>();
  /** First of their key, and not on their way. */
  readonly #ready = new Set<Held>();
  #bounds: WindowBounds;
  #chars = 0;

  constructor(bounds: WindowBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#held.size;
  }

  get chars(): number {
    return this.#chars;
  }

  narrow({ writesMax, charsMax }: WindowBounds): void {
    this.#bounds = {
      writesMax: Math.min(this.#bounds.writesMax, writesMax),
      charsMax: Math.min(this.#bounds.charsMax, charsMax),
    };
  }

  /** One write alone may be larger than the bound. */
  hasRoom(text: string): boolean {
    if (this.#held.size === 0) return true;
    return (
      this.#held.size < this.#bounds.writesMax &&
      this.#chars + text.length <= this.#bounds.charsMax &&
      heap.bytes + bytesOf(text) <= heap.bytesMax
    );
  }

  /** True when so little is left that more should be fetched. */
  get isLow(): boolean {
    return (
      this.#held.size <= this.#bounds.writesMax / 2 && this.#chars <= this.#bounds.charsMax / 2
    );
  }

  add(held: Held): void {
    this.#held.set(held.id, held);
    this.#chars += held.text.length;
    heap.bytes += bytesOf(held.text);
    const before = this.#keys.get(held.key);
    if (before) before.push(held);
    else {
      this.#keys.set(held.key, [held]);
      this.#ready.add(held);
    }
  }

  /** The next that may leave. */
  next(): Held | undefined {
    for (const held of this.#ready) {
      this.#ready.delete(held);
      return held;
    }
    return undefined;
  }

  /** It may leave once more. */
  again(held: Held): void {
    if (this.#held.get(held.id) === held) this.#ready.add(held);
  }

  /** It is answered, or given up: the one behind it may leave. */
  remove(held: Held): void {
    if (!this.#held.delete(held.id)) return;
    this.#chars -= held.text.length;
    heap.bytes -= bytesOf(held.text);
    this.#ready.delete(held);
    const ofKey = this.#keys.get(held.key) ?? [];
    const at = ofKey.indexOf(held);
    ofKey.splice(at, 1);
    const [first] = ofKey;
    if (!first) this.#keys.delete(held.key);
    else if (at === 0) this.#ready.add(first);
  }

  /** All that is held, in the order it came. */
  all(): Iterable<Held> {
    return this.#held.values();
  }

  ofKey(key: string): readonly Held[] {
    return this.#keys.get(key) ?? [];
  }
}
