/**
 * What a hub sends over the days: work items that come and go, some keys that are written all the
 * time, manifests, repeats, and writes the database refuses.
 */
import { randomBytes } from 'node:crypto';
import type { WriteAction } from '../../../contracts/actions.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import { Dice } from '../simulator/dice.ts';
import { refusedType } from './model-bus.ts';

export type Item = { Action: WriteAction; EventGUID: string; Settings: object };
export type Sent = { lane: Lane; item: Item; key: string };

const hotKeys = 100;
/** Work items that are written at the same time; each is written some twenty times. */
const itemsAtWork = 400;
const filler = 'the quick brown fox jumps over the lazy dog '.repeat(80);

export class Traffic {
  readonly #dice: Dice;
  readonly #nowMs: () => number;
  #count = 0;
  /** A key that gets a share of everything, besides. */
  extra: { key: string; share: number } | null = null;

  constructor(seed: number, nowMs: () => number) {
    this.#dice = new Dice(seed);
    this.#nowMs = nowMs;
  }

  next(): Sent {
    this.#count += 1;
    const { extra } = this;
    if (extra && this.#dice.chance(extra.share)) return this.update(extra.key);
    if (this.#dice.chance(0.03)) return this.#manifest();
    if (this.#dice.chance(0.3)) return this.update(`hot-${this.#dice.below(hotKeys)}`);
    return this.#ofItem(`wi-${Math.floor(this.#count / 20) + this.#dice.below(itemsAtWork)}`);
  }

  #ofItem(key: string): Sent {
    const roll = this.#dice.real();
    if (roll < 0.25) return this.#upsert(key);
    if (roll < 0.5) return this.update(key);
    if (roll < 0.85) return this.event(key, 'progress');
    return this.#attempt(key);
  }

  #upsert(key: string): Sent {
    const WorkItem = { WorkItemHash: key, Status: 'Queued', Settings: this.#text(300) };
    return this.#queue('QP_UpsertWorkItem', key, { WorkItem });
  }

  update(key: string): Sent {
    const Patch = { Status: `s${this.#count % 7}`, Priority: this.#count, Note: this.#text(120) };
    return this.#queue('QP_UpdateWorkItem', key, { WorkItemHash: key, Patch });
  }

  event(key: string, type: string): Sent {
    const Event = { WorkItemHash: key, EventType: type, Message: this.#text(200) };
    return this.#queue('QP_AppendEvent', key, { Event });
  }

  /** The database refuses it until its key is forgiven. */
  refused(key: string): Sent {
    return this.event(key, refusedType);
  }

  #attempt(key: string): Sent {
    const Attempt = { WorkItemHash: key, AttemptNumber: 1 + this.#dice.below(3), BeaconID: 'b' };
    return this.#queue('QP_InsertAttempt', key, { Attempt });
  }

  #manifest(): Sent {
    const key = `run-${Math.floor(this.#count / 50)}`;
    const Manifest = { Hash: key, Status: 'Running', Steps: this.#text(3_000) };
    const item: Item = {
      Action: 'MS_UpsertManifest',
      EventGUID: this.#guid(),
      Settings: { Manifest },
    };
    return { lane: 'manifest', key, item };
  }

  #queue(Action: WriteAction, key: string, Settings: object): Sent {
    return { lane: 'queue', key, item: { Action, EventGUID: this.#guid(), Settings } };
  }

  #text(chars: number): string {
    const from = this.#dice.below(44);
    return filler.slice(from, from + chars / 2 + this.#dice.below(chars));
  }

  /** Version 7 mostly, as hubs of today make them, and some of version 4. */
  #guid(): string {
    const isNew = this.#dice.chance(0.8);
    const random = randomBytes(16).toString('hex');
    const head = isNew ? this.#nowMs().toString(16).padStart(12, '0') : random.slice(0, 12);
    return (
      `${head.slice(0, 8)}-${head.slice(8)}-${isNew ? 7 : 4}${random.slice(13, 16)}` +
      `-8${random.slice(17, 20)}-${random.slice(20)}`
    );
  }
}
