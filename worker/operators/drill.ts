/**
 * A drill: for a while the worker takes one beacon for away, so that an outage can be rehearsed on
 * the running system.
 *
 * Constraints: only what is known of the beacon is hidden, so both lanes, reads and status go the
 * ways of a real outage. Bounded in time, kept in memory alone: it ends at its deadline whoever
 * asked for it, and with the process.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type {
  Capacity,
  DrillLane,
  DrillReply,
  DrillReport,
  DrillView,
} from '../../contracts/status.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Assignments } from '../beacons/assignments.ts';
import type { BeaconDirectory } from '../beacons/directory.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import type { Journal } from '../journal/journal.ts';

export type DrillOptions = {
  directory: BeaconDirectory;
  assignments: Assignments;
  deliveries: Record<Lane, LaneDelivery>;
  journal: Journal;
  clock: Clock;
  log: Log;
  isPaused: () => boolean;
};

export type DrillRequest = { beacon: string; seconds: number; isForced: boolean };

type Running = {
  beacon: string;
  startedMs: number;
  untilMs: number;
  lanes: Lane[];
  before: Record<Lane, { accepted: number; depth: number }>;
  cancel: () => void;
};

export class Drill {
  readonly #parts: DrillOptions;
  #running: Running | null = null;
  #last: DrillReport | null = null;

  constructor(parts: DrillOptions) {
    this.#parts = parts;
  }

  /** What runs now, null when none does. */
  view(): DrillView | null {
    const running = this.#running;
    return running && { BeaconID: running.beacon, Until: isoOf(running.untilMs) };
  }

  reply(): DrillReply {
    return { Success: true, Drill: this.view(), Last: this.#last };
  }

  /**
   * Watches for a second how much comes in, then begins.
   * @throws TidemarkError NOT_FOUND for a beacon no lane goes to, CONFLICT where a drill would show
   * nothing, OVERLOADED when there is no room for one
   */
  async start(request: DrillRequest, capacity: () => Capacity): Promise<DrillReply> {
    this.#assertSensible(request.beacon);
    if (!request.isForced) await this.#assertRoom(request.seconds, capacity);
    // Somebody may have been faster while we watched.
    const served = this.#assertSensible(request.beacon);
    const { clock, directory, log } = this.#parts;
    const startedMs = clock.nowMs();
    this.#running = {
      beacon: request.beacon,
      startedMs,
      untilMs: startedMs + request.seconds * 1000,
      lanes: served,
      before: { queue: this.#counts('queue'), manifest: this.#counts('manifest') },
      cancel: clock.timer(request.seconds * 1000, () => this.#end('deadline')),
    };
    log.warn(
      { beacon: request.beacon, seconds: request.seconds },
      'drill: this beacon counts as away',
    );
    directory.hide(request.beacon);
    return this.reply();
  }

  /** Ends it now; does nothing when none runs. */
  stop(): DrillReply {
    this.#end('stop');
    return this.reply();
  }

  /** The process ends, and with it the drill: nothing is reported of it. */
  cancel(): void {
    this.#running?.cancel();
    this.#running = null;
  }

  #end(by: 'deadline' | 'stop'): void {
    const running = this.#running;
    if (!running) return;
    running.cancel();
    const { clock, directory, log } = this.#parts;
    const after = (lane: Lane): DrillLane => {
      const { accepted, depth } = running.before[lane];
      const now = this.#counts(lane);
      // What was under way when it began was still settled; nothing else was delivered.
      return {
        Accepted: now.accepted - accepted,
        PeakPending: Math.max(depth, now.depth),
        Head: this.#parts.journal.counts(lane).head,
      };
    };
    this.#last = {
      BeaconID: running.beacon,
      StartedAt: isoOf(running.startedMs),
      EndedAt: isoOf(clock.nowMs()),
      EndedBy: by,
      Lanes: Object.fromEntries(running.lanes.map((lane) => [lane, after(lane)])),
    };
    this.#running = null;
    log.warn({ beacon: running.beacon, by }, 'drill: ended');
    directory.hide(null);
  }

  #counts(lane: Lane): { accepted: number; depth: number } {
    const { journal, deliveries } = this.#parts;
    return {
      accepted: journal.counts(lane).accepted,
      depth: journal.countAfter(lane, deliveries[lane].mark()?.seq ?? 0),
    };
  }

  /** @returns the lanes that go to the beacon */
  #assertSensible(beacon: string): Lane[] {
    const { assignments, directory, isPaused } = this.#parts;
    if (this.#running)
      throw new TidemarkError(
        'CONFLICT',
        `a drill of ${this.#running.beacon} runs until ${isoOf(this.#running.untilMs)}; tidemark drill --stop ends it`,
      );
    const served = lanes.filter((lane) => assignments.of(lane)?.beacon === beacon);
    if (served.length === 0) {
      const others = [...new Set(lanes.flatMap((lane) => assignments.of(lane)?.beacon ?? []))];
      throw new TidemarkError(
        'NOT_FOUND',
        `BeaconID: no lane goes to ${beacon}; ` +
          (others.length > 0 ? `assigned is ${others.join(' and ')}` : 'nothing is assigned'),
      );
    }
    if (!directory.find(beacon))
      throw new TidemarkError(
        'CONFLICT',
        `${beacon} is away already: there is no outage to rehearse`,
      );
    if (isPaused())
      throw new TidemarkError(
        'CONFLICT',
        'delivery is paused, so nothing would recover; tidemark resume first',
      );
    return served;
  }

  /** @throws TidemarkError OVERLOADED */
  async #assertRoom(seconds: number, capacity: () => Capacity): Promise<void> {
    const { clock } = this.#parts;
    const [before, beganMs] = [this.#accepted(), clock.monotonicMs()];
    await clock.sleep(limits.drillWatchMs);
    const perSecond =
      ((this.#accepted() - before) / Math.max(1, clock.monotonicMs() - beganMs)) * 1000;
    const now = capacity();
    if (now.Refusing !== null)
      throw new TidemarkError('OVERLOADED', `writes are refused already: ${now.Refusing}`);
    const full = secondsToFull(
      now,
      perSecond,
      this.#parts.journal.bodyBytes() + limits.drillEntryBytes,
    );
    if (full === null || full > seconds) return;
    throw new TidemarkError(
      'OVERLOADED',
      `at ${Math.round(perSecond)} writes a second there is room for about ` +
        `${Math.floor(full)} s, not for ${seconds}: fewer seconds, more room, or --force`,
    );
  }

  #accepted(): number {
    return lanes.reduce((sum, lane) => sum + this.#parts.journal.counts(lane).accepted, 0);
  }
}

/** When the first bound is met if nothing is delivered any more; null when nothing comes in. */
export function secondsToFull(
  capacity: Capacity,
  perSecond: number,
  bytesEach: number,
): number | null {
  const { Pending, PendingMax, UsedBytes, BytesMax, FreeBytes, FreeBytesMin, TimeToFullSeconds } =
    capacity;
  const bytesLeft = Math.min(
    BytesMax - UsedBytes,
    FreeBytes === null || FreeBytesMin === null ? Infinity : FreeBytes - FreeBytesMin,
  );
  const byWrites =
    perSecond > 0
      ? Math.min((PendingMax - Pending) / perSecond, bytesLeft / (perSecond * bytesEach))
      : Infinity;
  const seconds = Math.max(0, Math.min(byWrites, TimeToFullSeconds ?? Infinity));
  return Number.isFinite(seconds) ? seconds : null;
}

/**
 * The control verb: `{BeaconID, Seconds, Force?}` begins one, `{Stop: true}` ends it, `{}` only
 * tells.
 * @throws TidemarkError INVALID_MESSAGE naming the field
 */
export function drillVerb(
  body: JsonObject,
  drill: Drill,
  capacity: () => Capacity,
): DrillReply | Promise<DrillReply> {
  const { BeaconID, Seconds, Stop, Force } = body;
  if (Stop === true) return drill.stop();
  if (BeaconID === undefined && Seconds === undefined) return drill.reply();
  if (typeof BeaconID !== 'string')
    throw new TidemarkError(
      'INVALID_MESSAGE',
      'BeaconID: expected the beacon that is to count as away',
    );
  if (
    typeof Seconds !== 'number' ||
    !Number.isSafeInteger(Seconds) ||
    Seconds < 1 ||
    Seconds > limits.drillSecondsMax
  ) {
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `Seconds: expected an integer from 1 to ${limits.drillSecondsMax}`,
    );
  }
  return drill.start({ beacon: BeaconID, seconds: Seconds, isForced: Force === true }, capacity);
}
