/** The inward half of the worker: writes, reads and operators' verbs, over the bus and one-way. */
import { messageOf } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { Bus } from '../../runtime/bus/bus.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { EndpointSpec } from '../../runtime/bus/micro-service.ts';
import { AppliedWaiters } from '../intake/applied-waiters.ts';
import { LaneEndpoints } from '../hub/bus-endpoints.ts';
import { Control } from '../operators/control.ts';
import type { Drill } from '../operators/drill.ts';
import { Intake, type IntakeEvents } from '../intake/intake.ts';
import type { Local } from '../journal/local.ts';
import type { MarkMover } from '../operators/mark-mover.ts';
import type { Meter } from '../metrics/meter.ts';
import { OneWay } from '../hub/one-way.ts';
import type { Outbound } from './outbound.ts';
import type { Overview } from '../operators/overview.ts';
import type { Pressure } from '../intake/pressure.ts';
import { Reader } from '../reads/reader.ts';

export type InboundOptions = {
  hubId: string;
  bus: Bus;
  local: Local;
  outbound: Outbound;
  overview: Overview;
  pressure: Pressure;
  markMover: MarkMover;
  drill: Drill;
  clock: Clock;
  log: Log;
  meter?: Meter;
  isOneWayOn: boolean;
  onDrain: () => void;
  /** The control verb `ops`. */
  ops: (body: JsonObject) => unknown;
} & IntakeEvents;

export class Inbound {
  readonly intake: Intake;
  readonly applied: AppliedWaiters;
  readonly control: Control;
  readonly #lanes: LaneEndpoints;
  readonly #oneWay: OneWay | null;
  readonly #parts: InboundOptions;
  #acceptedSeen = -1;
  #stopCatchingUp: () => void = () => undefined;

  constructor(parts: InboundOptions) {
    const { hubId, bus, local, outbound, overview, clock, log, meter } = parts;
    this.#parts = parts;
    this.intake = new Intake({
      store: local.store,
      journal: local.journal,
      clock,
      log,
      ...(meter ? { meter } : {}),
      pressure: parts.pressure,
      events: { onAccepted: parts.onAccepted, onFault: parts.onFault },
    });
    this.applied = new AppliedWaiters(clock, (lane, seq) =>
      whyNotApplied(local, outbound, lane, seq),
    );
    const reader = new Reader({
      hubId,
      view: (lane) => outbound.view(lane),
      now: () => isoOf(clock.nowMs()),
    });
    this.#lanes = new LaneEndpoints({
      hubId,
      intake: this.intake,
      reader,
      applied: this.applied,
      nowMs: () => clock.monotonicMs(),
      rejected: (code) => meter?.rejected(code),
      data: (lane) => {
        const { State, Pending, OldestPendingMs, DeadLetters } = overview.lane(lane);
        return { State, Pending, OldestPendingMs, DeadLetters };
      },
    });
    this.control = new Control({
      hubId,
      overview,
      assignments: outbound.assignments,
      blocked: local.blocked,
      refused: local.refused,
      journal: local.journal,
      clock,
      deliveries: outbound.deliveries,
      setPaused: (isPaused) => outbound.setPaused(isPaused),
      drain: parts.onDrain,
      // As after a write: delivery looks again, and who watches is told.
      wake: () => lanes.forEach((lane) => parts.onAccepted(lane)),
      journalBytes: () => local.store.bytes(),
      markMover: parts.markMover,
      ops: parts.ops,
      drill: parts.drill,
      db: local.store.db,
      log,
    });
    this.#oneWay = parts.isOneWayOn
      ? new OneWay({
          hubId,
          bus,
          intake: this.intake,
          refused: local.refused,
          clock,
          log,
          rejected: (code) => meter?.rejected(code),
        })
      : null;
  }

  endpoints(): EndpointSpec[] {
    return [...this.#lanes.specs(), this.control.spec()];
  }

  /** Why a write sent now would not be accepted; null when it would. */
  unready(): string | null {
    return this.intake.refusal()?.message ?? null;
  }

  start(): void {
    this.#oneWay?.start();
    this.#stopCatchingUp = this.#parts.clock.every(limits.projectionIdleMs, () =>
      this.#readyReads(),
    );
  }

  /**
   * Makes ready what reads need, so that the first read after a long time need not wait for all of
   * it: whole while nothing is accepted or delivered, a step at a time while little is. Under load,
   * and while a backlog is delivered, it waits; reads catch up for themselves then.
   */
  #readyReads(): void {
    const { outbound, overview, local, log } = this.#parts;
    const accepted = this.#accepted();
    const came = accepted - this.#acceptedSeen;
    this.#acceptedSeen = accepted;
    const isReady = (lane: Lane) =>
      outbound.assignments.targetOf(lane)?.isReady === true && !outbound.isPaused;
    // What is parked behind a dead letter waits for a person, not for us.
    const isDelivering = (lane: Lane) =>
      isReady(lane) &&
      local.journal.counts(lane).head > (outbound.deliveries[lane].mark()?.seq ?? 0);
    // What reads need may be as large as the backlog; without room it would take what delivering
    // needs.
    const isQuiet = () =>
      this.#accepted() === accepted && !this.intake.refusal() && !lanes.some(isDelivering);
    const isMuch =
      came > limits.projectionStepEntries ||
      this.intake.refusal() !== null ||
      lanes.some((lane) => isReady(lane) && overview.pending(lane) > limits.deliverEntriesMax);
    for (const lane of lanes) {
      const working =
        came === 0 && isQuiet()
          ? local.projection.catchUp(lane, isQuiet)
          : isMuch
            ? null
            : local.projection.advance(lane);
      working?.catch((error: unknown) =>
        log.warn({ lane, reason: messageOf(error) }, 'the view for reads lags behind'),
      );
    }
  }

  #accepted(): number {
    return lanes.reduce((sum, lane) => sum + this.#parts.local.journal.counts(lane).accepted, 0);
  }

  async drain(): Promise<void> {
    this.#stopCatchingUp();
    await this.#oneWay?.stop();
    await this.intake.drain();
  }
}

function whyNotApplied(local: Local, outbound: Outbound, lane: Lane, seq: number): string | null {
  const mark = outbound.deliveries[lane].mark();
  if (!mark) return 'no database is assigned';
  const blocked = local.blocked.get(mark.database, seq);
  if (blocked?.state === 'parked') return 'parked behind a dead letter of its key';
  if (blocked) return `dead letter: ${blocked.reason ?? ''}`;
  return seq > mark.seq ? 'the database does not have it yet' : null;
}
