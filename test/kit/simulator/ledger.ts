/**
 * What hubs of a simulated world sent and what they were answered, in their own order: what every
 * check is measured against.
 */
import type { WriteAction } from '../../../contracts/actions.ts';
import type { Refusal } from '../../../contracts/errors.ts';
import type { WriteReply } from '../../../contracts/reply.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import type { FoldCall } from '../rows/fold.ts';
import { guidOf } from '../rows/trace.ts';
import type { Witness } from './beacon.ts';
import type { Dice } from './dice.ts';

export type Write = {
  name: number;
  lane: Lane;
  key: string;
  action: WriteAction;
  guid: string;
  settings: object;
  call: FoldCall;
  /** The Seq it was answered with, or was seen with in the journal. */
  seq: number | null;
  /** The same through all journals it was ever in. */
  seqs: number[];
  /** Answered Success by a worker, and not lost with a whole data directory since. */
  isAcked: boolean;
  /** One of the answers said that it was new. */
  isNews: boolean;
  isRemoval: boolean;
};

export type Answer = WriteReply | Refusal;

const kinds: Record<Lane, readonly WriteAction[]> = {
  queue: [
    'QP_UpsertWorkItem',
    'QP_UpdateWorkItem',
    'QP_UpdateWorkItem',
    'QP_AppendEvent',
    'QP_InsertAttempt',
    'QP_UpdateAttemptOutcome',
  ],
  manifest: ['MS_UpsertManifest', 'MS_UpsertManifest', 'MS_RemoveManifest'],
};

/**
 * Settings of a write, and the same as a call for the independent fold. Each carries its number as
 * a field.
 */
function contentOf(
  action: WriteAction,
  key: string,
  name: number,
): { settings: object; method: string; args: unknown[] } {
  const mine = { [`F${name}`]: 1 };
  const number = name % 2;
  switch (action) {
    case 'QP_UpsertWorkItem': {
      const item = { WorkItemHash: key, Status: `s${name}`, Priority: name, ...mine };
      return { settings: { WorkItem: item }, method: 'upsertWorkItem', args: [item] };
    }
    case 'QP_UpdateWorkItem': {
      const fields = { Status: `s${name}`, ...mine };
      return {
        settings: { WorkItemHash: key, Patch: fields },
        method: 'updateWorkItem',
        args: [key, fields],
      };
    }
    case 'QP_AppendEvent': {
      const event = { WorkItemHash: key, EventType: `e${name}`, ...mine };
      return { settings: { Event: event }, method: 'appendEvent', args: [event] };
    }
    case 'QP_InsertAttempt': {
      const attempt = { WorkItemHash: key, AttemptNumber: number, BeaconID: `b${name}`, ...mine };
      return { settings: { Attempt: attempt }, method: 'insertAttempt', args: [attempt] };
    }
    case 'QP_UpdateAttemptOutcome': {
      const fields = { Outcome: `o${name}`, ...mine };
      return {
        settings: { WorkItemHash: key, AttemptNumber: number, Patch: fields },
        method: 'updateAttemptOutcome',
        args: [key, number, fields],
      };
    }
    case 'MS_UpsertManifest': {
      const manifest = { Hash: key, Status: `s${name}`, ...mine };
      return { settings: { Manifest: manifest }, method: 'upsertManifest', args: [manifest] };
    }
    case 'MS_RemoveManifest':
      return { settings: { RunHash: key }, method: 'removeManifest', args: [key] };
  }
}

export class Ledger {
  readonly writes: Write[] = [];
  readonly #byGuid = new Map<string, Write>();
  readonly #owners = new Map<number, number>();
  readonly #dice: Dice;
  readonly #witness: Witness;

  constructor(dice: Dice, witness: Witness) {
    this.#dice = dice;
    this.#witness = witness;
  }

  /** A new write of a key. */
  begin(lane: Lane, key: string): Write {
    const name = this.writes.length;
    const action = this.#dice.pick(kinds[lane]);
    const guid = guidOf(`sim ${name}`);
    const { settings, method, args } = contentOf(action, key, name);
    const write: Write = {
      name,
      lane,
      key,
      action,
      guid,
      settings,
      call: { method, args, eventGuid: guid },
      seq: null,
      seqs: [],
      isAcked: false,
      isNews: false,
      isRemoval: action === 'MS_RemoveManifest',
    };
    this.writes.push(write);
    this.#byGuid.set(guid, write);
    return write;
  }

  byGuid(guid: string): Write | null {
    return this.#byGuid.get(guid) ?? null;
  }

  /** The write a Seq was given to. */
  bySeq(seq: number): Write | null {
    const name = this.#owners.get(seq);
    return name === undefined ? null : (this.writes[name] ?? null);
  }

  /** A Seq was seen with a write, in an answer or in the journal (I2, I3). */
  own(seq: number, write: Write): void {
    const owner = this.#owners.get(seq);
    if (owner !== undefined && owner !== write.name)
      this.#witness.violate(
        `I2: Seq ${seq} of write ${owner} was given to write ${write.name} too`,
      );
    if (write.seq !== null && write.seq !== seq)
      this.#witness.violate(`I3: write ${write.name} has Seq ${seq}, and had ${write.seq} before`);
    this.#owners.set(seq, write.name);
    if (write.seq !== seq) write.seqs.push(seq);
    write.seq = seq;
  }

  /** A worker sent this answer. */
  answered(write: Write, answer: Answer): void {
    if (answer.Success) {
      if (write.isNews && !answer.Duplicate)
        this.#witness.violate(`I3: write ${write.name} was accepted as new a second time`);
      this.own(answer.Seq, write);
      write.isAcked = true;
      write.isNews ||= !answer.Duplicate;
    } else if (answer.Code === 'CONFLICT')
      this.#witness.violate(
        `I3: write ${write.name} was refused as another content under its own EventGUID`,
      );
    else if (
      answer.Code === 'INVALID_MESSAGE' ||
      answer.Code === 'INTERNAL' ||
      answer.Code === 'NOT_FOUND'
    )
      this.#witness.violate(`write ${write.name} was refused: ${answer.Reason}`);
  }

  /** A worker answered other content under the EventGUID of an accepted write. */
  probed(write: Write, answer: Answer): void {
    if (answer.Success && write.isAcked)
      this.#witness.violate(
        `I3: other content under the EventGUID of write ${write.name} was accepted`,
      );
  }

  /** Another store has the writes under Seqs of its own. */
  numberAnew(): void {
    for (const write of this.writes) write.seq = null;
    // With a clock behind they may be those of others before; the Term tells them apart.
    this.#owners.clear();
  }

  /**
   * The data directory was lost, or an older one put back: what is not in it is gone, and every hub
   * knows.
   */
  forget(kept: ReadonlySet<string>): void {
    for (const write of this.writes) {
      if (kept.has(write.guid)) continue;
      write.seq = null;
      write.isAcked = false;
      write.isNews = false;
    }
  }
}
