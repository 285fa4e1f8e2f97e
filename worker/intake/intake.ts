/**
 * Accepts writes: collects those that have arrived, commits them in one synced transaction, checks
 * that the files are still the worker's own, then answers.
 *
 * I1: no answer before the commit. One commit takes all writes that came while the last one ran, so
 * they share one sync.
 */
import type { WriteAction } from '../../contracts/actions.ts';
import type { JsonValue } from '../../contracts/body/json-value.ts';
import { lanes, type Lane } from '../../contracts/subjects.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { WriteReply } from '../../contracts/reply.ts';
import { type Clock, onNextTurn } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Appended, Write } from '../journal/append.ts';
import type { Journal } from '../journal/journal.ts';
import type { Pressure } from './pressure.ts';
import { classOf, endsTheProcess, toStoreFault } from '../state/guard/storage-error.ts';
import type { Store } from '../state/store.ts';

type Waiting = {
  envelope: Write;
  bytes: number;
  resolve: (reply: WriteReply) => void;
  reject: (error: TidemarkError) => void;
};

/** What intake reports to the rest of the worker. */
export type IntakeEvents = {
  /** Writes of this lane are in the journal. */
  onAccepted: (lane: Lane) => void;
  /** The local store failed; the process must end. */
  onFault: (error: TidemarkError) => void;
};

/** Counts commits, for metrics. */
export type IntakeMeter = {
  committed: (seconds: number, actions: readonly WriteAction[]) => void;
};

export class Intake {
  readonly #store: Store;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: IntakeEvents;
  readonly #meter: IntakeMeter | undefined;
  readonly #pressure: Pick<Pressure, 'refusal' | 'took' | 'full'>;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isScheduled = false;
  #isOpen = true;
  #fault: TidemarkError | null = null;
  #commits = 0;
  #lastCommitMs: number | null = null;
  #strikes = 0;

  constructor(parts: {
    store: Store;
    journal: Journal;
    clock: Clock;
    log: Log;
    events: IntakeEvents;
    meter?: IntakeMeter | undefined;
    pressure: Pick<Pressure, 'refusal' | 'took' | 'full'>;
  }) {
    this.#store = parts.store;
    this.#journal = parts.journal;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#events = parts.events;
    this.#meter = parts.meter;
    this.#pressure = parts.pressure;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get commits(): number {
    return this.#commits;
  }

  get lastCommitMs(): number | null {
    return this.#lastCommitMs;
  }

  /** Accepts nothing any more: the store cannot be trusted, or is not the hub's. */
  freeze(fault: TidemarkError): void {
    this.#fault ??= fault;
  }

  /** Why a write sent now would be refused; null when it would be accepted. */
  refusal(): TidemarkError | null {
    if (this.#fault)
      return new TidemarkError(refusalOf(this.#fault), this.#fault.message, {
        cause: this.#fault,
        retryAfterMs: limits.unavailableRetryMs,
      });
    if (!this.#isOpen)
      return new TidemarkError(
        'UNAVAILABLE',
        'the worker is draining; send again to the one that follows',
        { retryAfterMs: limits.unavailableRetryMs },
      );
    const pressure = this.#pressure.refusal();
    if (pressure) return pressure;
    if (this.#waiting.length >= limits.intakeQueueMax)
      return overloaded(
        `${this.#waiting.length} writes wait for a commit, at most ${limits.intakeQueueMax}`,
      );
    if (this.#waitingBytes >= limits.intakeBytesMax)
      return overloaded(
        `${this.#waitingBytes} bytes wait for a commit, at most ${limits.intakeBytesMax}`,
      );
    return null;
  }

  /**
   * Resolves once the write is committed and synced, or found to be a duplicate.
   * @throws TidemarkError CONFLICT, OVERLOADED, UNAVAILABLE while draining, STORAGE_FAILED
   */
  accept(envelope: Write): Promise<WriteReply> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const bytes =
        'settingsText' in envelope ? envelope.settingsText.length : bytesOf(envelope.settings);
      this.#waitingBytes += bytes;
      this.#waiting.push({ envelope, bytes, resolve, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      onNextTurn(this.#commit);
    });
  }

  /** Stops accepting; resolves when everything taken is answered. */
  async drain(): Promise<void> {
    this.#isOpen = false;
    while (this.#waiting.length > 0) await this.#clock.sleep(1);
  }

  readonly #commit = (): void => {
    this.#isScheduled = false;
    const batch = this.#take();
    if (batch.length === 0) return;
    if (this.#waiting.length > 0) {
      this.#isScheduled = true;
      onNextTurn(this.#commit);
    }
    let results: Appended[];
    const startedMs = this.#clock.monotonicMs();
    try {
      if (this.#fault) throw this.#fault;
      results = this.#journal.append(
        batch.map((one) => one.envelope),
        this.#clock.nowMs(),
      );
      this.#store.assertSameFiles('quick');
      this.#commits += 1;
      this.#lastCommitMs = this.#clock.nowMs();
      this.#strikes = 0;
    } catch (thrown) {
      return this.#fail(batch, thrown);
    }
    this.#count(batch, results, startedMs);
    batch.forEach((one, index) => answer(one, results[index] as Appended));
    this.#afterCommit(batch.length, sizeOf(batch));
    for (const lane of lanes) {
      if (batch.some((one) => one.envelope.lane === lane)) this.#events.onAccepted(lane);
    }
  };

  #count(batch: readonly Waiting[], results: readonly Appended[], startedMs: number): void {
    const isNew = (result: Appended | undefined) =>
      result !== undefined && !(result instanceof TidemarkError) && result.isNew;
    this.#meter?.committed(
      (this.#clock.monotonicMs() - startedMs) / 1000,
      batch.filter((_, index) => isNew(results[index])).map((one) => one.envelope.action),
    );
  }

  /** The writes of one commit: as many as its bounds allow, and at least one. */
  #take(): Waiting[] {
    let [count, bytes] = [0, 0];
    for (const one of this.#waiting.slice(0, limits.commitWritesMax)) {
      if (count > 0 && bytes + one.bytes > limits.commitBytesMax) break;
      count += 1;
      bytes += one.bytes;
    }
    const batch = this.#waiting.splice(0, count);
    this.#waitingBytes -= sizeOf(batch);
    return batch;
  }

  #afterCommit(entries: number, bytes: number): void {
    this.#pressure.took(entries, bytes);
    try {
      this.#store.wrote(bytes);
    } catch (error) {
      // The writes are committed and answered. If the store has failed, the next commit finds out.
      this.#log.error(
        { reason: messageOf(error) },
        'the log could not be folded into the database',
      );
    }
  }

  /**
   * Refuses the writes of a commit that failed. A lock or a full disk refuses them for now, and so
   * do the first few errors of an unknown kind. After any other error the store cannot be trusted
   * with another write.
   */
  #fail(batch: Waiting[], thrown: unknown): void {
    const found = classOf(thrown);
    if (found === 'capacity') {
      this.#log.debug({ reason: messageOf(thrown) }, 'a commit found no room');
      this.#pressure.full();
      return this.#refuseAll(batch, overloaded('the disk of the journal is full'));
    }
    if (found === 'transient') {
      return this.#refuseAll(
        batch,
        new TidemarkError('UNAVAILABLE', `the journal is locked: ${messageOf(thrown)}`, {
          cause: thrown,
          retryAfterMs: limits.unavailableRetryMs,
        }),
      );
    }
    if (!this.#fault && !endsTheProcess(found) && ++this.#strikes < limits.storeStrikesMax) {
      this.#log.error(
        { reason: messageOf(thrown) },
        'a commit failed; its writes were refused and nothing was stored',
      );
      return this.#refuseAll(
        batch,
        new TidemarkError('INTERNAL', `the journal took nothing: ${messageOf(thrown)}`, {
          cause: thrown,
        }),
      );
    }
    const isFirst = this.#fault === null;
    this.#fault ??= toStoreFault(thrown);
    const refusal = this.refusal() ?? this.#fault;
    for (const one of batch) one.reject(refusal);
    if (isFirst) this.#events.onFault(this.#fault);
  }

  /**
   * Also refuses the writes that wait behind the batch: if they were accepted later, they would
   * overtake it.
   */
  #refuseAll(batch: Waiting[], error: TidemarkError): void {
    this.#waitingBytes = 0;
    for (const one of [...batch, ...this.#waiting.splice(0)]) one.reject(error);
  }
}

/** A store that another one has taken over from is well; the sender finds the other one. */
function refusalOf({ code }: TidemarkError): 'UNAVAILABLE' | 'STORAGE_FAILED' {
  return code === 'DEPOSED' ? 'UNAVAILABLE' : 'STORAGE_FAILED';
}

function sizeOf(batch: readonly Waiting[]): number {
  return batch.reduce((sum, one) => sum + one.bytes, 0);
}

function overloaded(why: string): TidemarkError {
  return new TidemarkError('OVERLOADED', why, { retryAfterMs: limits.overloadedRetryMs });
}

function answer(one: Waiting, result: Appended): void {
  if (result instanceof TidemarkError) return one.reject(result);
  one.resolve({
    Available: true,
    Success: true,
    Durability: 'synced',
    Seq: result.seq,
    EventGUID: one.envelope.eventGuid,
    Duplicate: !result.isNew,
  });
}

/**
 * About how many bytes a decoded body takes, without writing it as JSON: the characters of its
 * texts and names, and eight for any other value. Never much more than its JSON.
 */
function bytesOf(value: JsonValue): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  let bytes = 2;
  if (Array.isArray(value)) for (const one of value) bytes += bytesOf(one);
  else for (const name in value) bytes += name.length + 4 + bytesOf(value[name] as JsonValue);
  return bytes;
}
