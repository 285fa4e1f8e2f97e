/**
 * Measures how full the worker is: the journal's bytes, its backlog and the disk, each against its
 * bound. Refuses writes when a bound is met.
 *
 * Constraints: it measures a few times a second, not for each write, and adds up what was committed
 * in between. Failure: when SQLite meets a full disk all the same, the reserve is given up, so that
 * delivering and settling go on and make room.
 */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import type { Capacity } from '../../contracts/status.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { DiskRoom, Reserve } from '../state/guard/disk.ts';

/**
 * Bounds that an operator may set. `diskFreeMin` null means the usual bound, which is lower on
 * small disks.
 */
export type CapacityBounds = {
  journalBytesMax: number;
  pendingMax: number;
  diskFreeMin: number | null;
};

export const usualBounds: CapacityBounds = {
  journalBytesMax: limits.journalBytesMax,
  pendingMax: limits.pendingEntriesMax,
  diskFreeMin: null,
};

export type PressureOptions = {
  bytesInUse: () => number;
  pending: () => number;
  room: () => DiskRoom | null;
  reserve: Reserve;
  clock: Clock;
  log: Log;
  bounds?: CapacityBounds | undefined;
  /**
   * Called once when writes begin to be refused for room, with the reason, and once with null when
   * they are accepted again.
   */
  onChange?: (reason: string | null) => void;
};

type Level = { usedBytes: number; pending: number; room: DiskRoom | null };

export class Pressure {
  readonly #parts: PressureOptions;
  readonly #bounds: CapacityBounds;
  readonly #rate: FillRate;
  #level: Level = { usedBytes: 0, pending: 0, room: null };
  #lookedMs = Number.NEGATIVE_INFINITY;
  #takenBytes = 0;
  #takenEntries = 0;
  #isDiskLow = false;
  #isOut = false;
  #fullMs = Number.NEGATIVE_INFINITY;
  #reason: string | null = null;
  #stopLooking: () => void = () => undefined;

  constructor(parts: PressureOptions) {
    this.#parts = parts;
    this.#bounds = parts.bounds ?? usualBounds;
    this.#rate = new FillRate();
  }

  /** Measures regularly from now on, and makes the reserve. */
  start(): void {
    this.look();
    this.#stopLooking = this.#parts.clock.every(limits.capacityLookMs, () => this.look());
  }

  stop(): void {
    this.#stopLooking();
  }

  /** Adds up writes that were committed since the last look. */
  took(entries: number, bytes: number): void {
    this.#takenEntries += entries;
    this.#takenBytes += bytes;
  }

  /** Why a write is refused for room, or null. */
  refusal(): TidemarkError | null {
    // A worker that is too busy to run its timers measures here.
    if (this.#parts.clock.monotonicMs() - this.#lookedMs >= 2 * limits.capacityLookMs) this.look();
    const reason = this.#isDiskLow ? this.#diskReason() : this.#storeReason();
    return reason === null
      ? null
      : new TidemarkError('OVERLOADED', reason, { retryAfterMs: limits.overloadedRetryMs });
  }

  /** The reserve was given up: the room that is left is for delivering only. */
  get isOut(): boolean {
    return this.#isOut;
  }

  /** Call it when SQLite found no room: refuses writes and gives up the reserve. */
  full(): void {
    this.#isDiskLow = true;
    this.#isOut = true;
    this.#fullMs = this.#parts.clock.monotonicMs();
    const bytes = this.#parts.reserve.giveUp();
    if (bytes > 0)
      this.#parts.log.error(
        { bytes },
        'the disk is full: the reserve is given up, so that delivering goes on',
      );
    this.#report();
  }

  /** Measures all levels anew. When one cannot be read, all stay as they were. */
  look(): void {
    const { clock, bytesInUse, pending, room, log } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#lookedMs = nowMs;
    try {
      this.#level = { usedBytes: bytesInUse(), pending: pending(), room: room() };
      this.#takenBytes = 0;
      this.#takenEntries = 0;
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'cannot tell how full the journal is');
    }
    this.#judgeDisk(nowMs);
    this.#rate.note(nowMs, {
      used: this.#level.usedBytes,
      pending: this.#level.pending,
      gone: -(this.#level.room?.freeBytes ?? 0),
    });
    this.#report();
  }

  /**
   * The disk is low below its minimum. It is enough again only well above the minimum, and once the
   * reserve has been made again.
   */
  #judgeDisk(nowMs: number): void {
    const { reserve } = this.#parts;
    const { room } = this.#level;
    const least = room ? this.#freeMin(room) : 0;
    if (room && room.freeBytes < least) this.#isDiskLow = true;
    if (nowMs - this.#fullMs < limits.diskFullPauseMs) return;
    const size = room ? reserve.sizeFor(room.totalBytes) : reserve.bytes;
    const missing = reserve.bytes === size ? 0 : size;
    // The room that the reserve left behind must not count as room to make it again.
    if (room && room.freeBytes < least * limits.diskAgainFactor + 2 * missing) return;
    if (missing > 0)
      void reserve.make(size).then((isMade) => {
        if (!isMade) this.full();
      });
    else this.#isDiskLow = this.#isOut = false;
  }

  #freeMin(room: DiskRoom): number {
    return (
      this.#bounds.diskFreeMin ??
      Math.floor(Math.min(limits.diskFreeBytesMin, room.totalBytes * limits.diskFreeShare))
    );
  }

  #diskReason(): string {
    const { room } = this.#level;
    return room && !this.#isOut
      ? `the disk of the journal has ${room.freeBytes} bytes free, at least ` +
          `${this.#freeMin(room)} are kept; make room there`
      : 'the disk of the journal is full; make room there';
  }

  #storeReason(): string | null {
    const { journalBytesMax, pendingMax } = this.#bounds;
    const pending = this.#level.pending + this.#takenEntries;
    if (pending >= pendingMax)
      return `the journal holds ${pending} undelivered writes, at most ${pendingMax}`;
    const bytes = this.#level.usedBytes + this.#takenBytes;
    return bytes >= journalBytesMax
      ? `the journal has ${bytes} bytes, at most ${journalBytesMax}`
      : null;
  }

  #report(): void {
    const reason = this.#isDiskLow ? this.#diskReason() : this.#storeReason();
    const isNews = (reason === null) !== (this.#reason === null);
    this.#reason = reason;
    if (!isNews) return;
    if (reason === null) this.#parts.log.info({}, 'there is room again: writes are taken');
    else this.#parts.log.warn({ reason }, 'no room for writes: refused until there is');
    this.#parts.onChange?.(reason);
  }

  capacity(): Capacity {
    const { usedBytes, pending, room } = this.#level;
    const { journalBytesMax, pendingMax } = this.#bounds;
    const freeMin = room ? this.#freeMin(room) : null;
    return {
      UsedBytes: usedBytes,
      BytesMax: journalBytesMax,
      FreeBytes: room?.freeBytes ?? null,
      FreeBytesMin: freeMin,
      Pending: pending,
      PendingMax: pendingMax,
      ReserveBytes: this.#parts.reserve.bytes,
      Refusing: this.#reason,
      TimeToFullSeconds: this.#rate.secondsUntil({
        used: journalBytesMax,
        pending: pendingMax,
        ...(freeMin === null ? {} : { gone: -freeMin }),
      }),
    };
  }
}

type Levels = Record<string, number>;

/** Estimates when a growing level will meet its bound, from its samples of the last minutes. */
class FillRate {
  readonly #samples: { atMs: number; levels: Levels }[] = [];
  #last: { atMs: number; levels: Levels } | null = null;

  /** Notes the levels. Keeps one sample every few seconds, over some minutes. */
  note(atMs: number, levels: Levels): void {
    this.#last = { atMs, levels };
    const newest = this.#samples.at(-1);
    if (newest && atMs - newest.atMs < limits.capacitySampleMs) return;
    this.#samples.push(this.#last);
    while ((this.#samples[0]?.atMs ?? atMs) < atMs - limits.capacityWindowMs) this.#samples.shift();
  }

  /**
   * Seconds until the first level meets its bound if all grow as they did; 0 at a bound, null when
   * none will.
   */
  secondsUntil(bounds: Levels): number | null {
    const [oldest] = this.#samples;
    const last = this.#last;
    if (!oldest || !last) return null;
    if (Object.entries(bounds).some(([name, bound]) => (last.levels[name] ?? 0) >= bound)) return 0;
    const seconds = (last.atMs - oldest.atMs) / 1000;
    if (seconds * 1000 < limits.capacityWindowMsMin) return null;
    const times = Object.entries(bounds).flatMap(([name, bound]) => {
      const now = last.levels[name] ?? 0;
      const perSecond = (now - (oldest.levels[name] ?? 0)) / seconds;
      return perSecond > 0 ? [(bound - now) / perSecond] : [];
    });
    const first = Math.min(...times);
    return first <= limits.timeToFullSecondsMax ? Math.round(first) : null;
  }
}
