/** The operators' verbs, the same over the bus (`tidemark.<hub>.control.<verb>`) and over HTTP. */
import { decodeBrief } from '../../contracts/body/codec.ts';
import {
  controlVerbNames,
  isControlVerb,
  type ControlVerb,
} from '../../contracts/control-verbs.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isGuid } from '../../contracts/envelope.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { LaneStatus } from '../../contracts/status.ts';
import { isSubjectToken, type Lane, lastToken, subjects } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { EndpointSpec } from '../../runtime/bus/micro-service.ts';
import type { Assignments } from '../beacons/assignments.ts';
import { DeadLetterVerbs } from './dead-letter-verbs.ts';
import type { Overview } from './overview.ts';
import { hwmVerb } from './control-hwm.ts';
import { type Drill, drillVerb } from './drill.ts';
import type { MarkMover } from './mark-mover.ts';
import { busCallOf, OperatorLog } from './operator-log.ts';
import type { Refused } from '../journal/refused.ts';
import type { Journal } from '../journal/journal.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import type { Connection } from '../state/connection.ts';

export type ControlOptions = {
  hubId: string;
  overview: Overview;
  assignments: Assignments;
  blocked: BlockedStore;
  refused: Refused;
  journal: Journal;
  clock: Clock;
  deliveries: Record<Lane, LaneDelivery>;
  setPaused: (isPaused: boolean) => void;
  drain: () => void;
  wake: () => void;
  journalBytes: () => number;
  markMover: MarkMover;
  ops: (body: JsonObject) => unknown;
  db: Connection;
  log: Log;
  drill: Drill;
};

export type AssignReply = { Success: true; Queue: LaneStatus; Manifest: LaneStatus };

export class Control {
  /** Records who did what, over the bus or HTTP. */
  readonly operators: OperatorLog;
  readonly #parts: ControlOptions;
  readonly #deadLetters: DeadLetterVerbs;
  readonly #handlers: Record<ControlVerb, (given: JsonObject) => unknown> = {
    status: () => this.#parts.overview.status(),
    assign: (given) => this.assign(given),
    clear: () => this.clear(),
    hwm: (given) =>
      hwmVerb(given, {
        markMover: this.#parts.markMover,
        marksFile: () => this.#parts.overview.marksFile(),
      }),
    locate: (given) => this.locate(given['EventGUID']),
    'dead-letters': (given) => this.deadLetters(given),
    journal: () => this.journal(),
    pause: () => this.#hold(true),
    resume: () => this.#hold(false),
    drain: () => this.#drain(),
    ops: (given) => this.#parts.ops(given),
    'operator-log': (given) => this.operators.list(given),
    drill: (given) =>
      drillVerb(given, this.#parts.drill, () => this.#parts.overview.status().Capacity),
  };

  constructor(parts: ControlOptions) {
    this.#parts = parts;
    this.#deadLetters = new DeadLetterVerbs(parts);
    this.operators = new OperatorLog(parts.db, parts.clock, parts.log);
  }

  spec(): EndpointSpec {
    const { hubId } = this.#parts;
    return {
      name: 'control',
      subject: subjects.controlAll(hubId),
      metadata: { hub: hubId },
      handle: (request) =>
        this.#fromBus(
          lastToken(request.subject),
          request.body ? decodeBrief(request.body, request.headers) : request.decode(),
        ),
    };
  }

  #fromBus(verb: string, body: unknown): unknown {
    const call = busCallOf(verb, isJsonObject(body) ? body : {});
    return call ? this.operators.run(call, () => this.run(verb, body)) : this.run(verb, body);
  }

  /**
   * @throws TidemarkError INVALID_MESSAGE for an unknown verb or a wrong field, NOT_FOUND for
   * something that does not exist
   */
  run(verb: string, body: unknown): unknown {
    if (!isControlVerb(verb))
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `control.${verb}: unknown verb; there are ${controlVerbNames.join(', ')}`,
      );
    return this.#handlers[verb](isJsonObject(body) ? body : {});
  }

  #hold(isPaused: boolean): { Success: true } {
    this.#parts.setPaused(isPaused);
    return { Success: true };
  }

  #drain(): { Success: true } {
    this.#parts.drain();
    return { Success: true };
  }

  /** `{BeaconID|null, IDBeaconConnection, NotAfter?}`; null clears the assignment. */
  assign(body: JsonObject): AssignReply {
    const { BeaconID, IDBeaconConnection, NotAfter } = body;
    // The caller's request timed out long ago and counts as failed, so a process that was suspended
    // must not carry it out now.
    if (typeof NotAfter === 'string' && Date.parse(NotAfter) < this.#parts.clock.nowMs())
      throw new TidemarkError(
        'UNAVAILABLE',
        `NotAfter: it is later than ${NotAfter} here; nothing was changed`,
      );
    if (BeaconID === null || BeaconID === '') return this.clear();
    if (typeof BeaconID !== 'string' || !isSubjectToken(BeaconID))
      throw new TidemarkError('INVALID_MESSAGE', 'BeaconID: expected 1-64 of A-Z a-z 0-9 _ -');
    const least = this.#parts.assignments.isLegacy(BeaconID) ? 0 : 1;
    if (
      typeof IDBeaconConnection !== 'number' ||
      !Number.isSafeInteger(IDBeaconConnection) ||
      IDBeaconConnection < least
    ) {
      throw new TidemarkError(
        'INVALID_MESSAGE',
        'IDBeaconConnection: expected an integer from 1, or 0 for a legacy beacon that is there',
      );
    }
    this.#parts.assignments.assign(BeaconID, IDBeaconConnection);
    return this.#assigned();
  }

  clear(): AssignReply {
    this.#parts.assignments.clear();
    return this.#assigned();
  }

  #assigned(): AssignReply {
    const { overview } = this.#parts;
    return { Success: true, Queue: overview.lane('queue'), Manifest: overview.lane('manifest') };
  }

  locate(guid: unknown): unknown {
    if (!isGuid(guid)) throw new TidemarkError('INVALID_MESSAGE', 'EventGUID: expected a UUID');
    return this.#parts.overview.locate(guid);
  }

  journal(): object {
    const { journal, overview, journalBytes } = this.#parts;
    const [queue, manifest] = [journal.counts('queue'), journal.counts('manifest')];
    return {
      Entries: queue.accepted + manifest.accepted,
      Pending: overview.pending('queue') + overview.pending('manifest'),
      Bytes: journalBytes(),
      Head: { queue: queue.head, manifest: manifest.head },
      Accepted: { queue: queue.accepted, manifest: manifest.accepted },
      Balance: { queue: overview.balance('queue'), manifest: overview.balance('manifest') },
    };
  }

  /**
   * `{Verb: 'list'|'show'|'retry'|'drop', Seq? | ID?}`; a list takes `{After?, Limit?}` for pages.
   * Short forms: `{retry: Seq}`, `{drop: Seq}`.
   */
  deadLetters(given: JsonObject): unknown {
    return this.#deadLetters.run(given);
  }
}
