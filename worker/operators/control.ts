/** The operators' verbs, the same over the bus (`tidemark.<hub>.control.<verb>`) and over HTTP. */
import type { DeadLetterView } from '../../contracts/console-answers.ts';
import {
  controlVerbNames,
  isControlVerb,
  type ControlVerb,
} from '../../contracts/control-verbs.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { isGuid } from '../../contracts/envelope.ts';
import { isJsonObject, type JsonObject } from '../../contracts/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { LaneStatus } from '../../contracts/status.ts';
import { isSubjectToken, type Lane, lanes, lastToken, subjects } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { EndpointSpec } from '../../runtime/bus/micro-service.ts';
import type { Assignments } from '../beacons/assignments.ts';
import { deadLetterPage, deadLetters, neverAccepted } from './dead-letters.ts';
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
  /** Who did what, through whichever door. */
  readonly operators: OperatorLog;
  readonly #parts: ControlOptions;
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
    this.operators = new OperatorLog(parts.db, parts.clock, parts.log);
  }

  spec(): EndpointSpec {
    const { hubId } = this.#parts;
    return {
      name: 'control',
      subject: subjects.controlAll(hubId),
      metadata: { hub: hubId },
      handle: (request) => this.#fromBus(lastToken(request.subject), request.decode()),
    };
  }

  #fromBus(verb: string, body: unknown): unknown {
    const call = busCallOf(verb, isJsonObject(body) ? body : {});
    return call ? this.operators.run(call, () => this.run(verb, body)) : this.run(verb, body);
  }

  /**
   * @throws TidemarkError INVALID_MESSAGE for an unknown verb or a wrong field, NOT_FOUND for what
   * is not there
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

  /** `{BeaconID|null, IDBeaconConnection, NotAfter?}`; null takes the assignment back. */
  assign(body: JsonObject): AssignReply {
    const { BeaconID, IDBeaconConnection, NotAfter } = body;
    // Whoever asked has long been told that it failed: a process that stood still must not do it
    // now.
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
   * `{Verb: 'list'|'show'|'retry'|'drop', Seq? | ID?}`, a list with `{After?, Limit?}` in pages; or
   * in short `{retry: Seq}`, `{drop: Seq}`.
   */
  deadLetters(given: JsonObject): unknown {
    const short = (['show', 'retry', 'drop'] as const).find(
      (one) => typeof given[one] === 'number',
    );
    const body = short ? { Verb: short, Seq: given[short] as number } : given;
    const verb = body['Verb'] ?? 'list';
    if (verb === 'list' && (body['After'] !== undefined || body['Limit'] !== undefined))
      return deadLetterPage(this.#parts, body);
    if (verb === 'list') return { DeadLetters: this.#listDead() };
    if (verb === 'show' || verb === 'retry' || verb === 'drop') return this.#oneDead(verb, body);
    throw new TidemarkError('INVALID_MESSAGE', 'Verb: expected list, show, retry or drop');
  }

  #oneDead(verb: 'show' | 'retry' | 'drop', body: JsonObject): unknown {
    const { Seq, ID } = body;
    if (typeof ID === 'number' && verb !== 'retry') return this.#refusedMessage(verb, ID);
    if (typeof Seq !== 'number')
      throw new TidemarkError('INVALID_MESSAGE', 'Seq: expected the Seq of a dead letter');
    const lane = lanes.find((one) => this.#find(one, Seq) !== null);
    const database = lane ? this.#parts.deliveries[lane].mark()?.database : undefined;
    if (!lane || database === undefined)
      throw new TidemarkError('NOT_FOUND', `Seq: there is no dead letter ${Seq}`);
    if (verb === 'show') {
      const view = this.#listDead().find((one) => one.Seq === Seq);
      return { DeadLetter: { ...view, Settings: this.#parts.journal.read(Seq)?.settings ?? null } };
    }
    const nowMs = this.#parts.clock.nowMs();
    const isDone =
      verb === 'retry'
        ? this.#parts.blocked.retry(database, Seq, nowMs)
        : this.#parts.blocked.drop(database, Seq, nowMs);
    this.#parts.wake();
    return { Success: isDone };
  }

  #refusedMessage(verb: 'show' | 'drop', id: number): unknown {
    const message = this.#parts.refused.get(id);
    if (!message) throw new TidemarkError('NOT_FOUND', `ID: there is no refused message ${id}`);
    if (verb === 'show')
      return {
        DeadLetter: {
          ID: id,
          Subject: message.subject,
          Reason: message.reason,
          At: isoOf(message.atMs),
          Body: message.body.toString('utf8'),
        },
      };
    return { Success: this.#parts.refused.drop(id) };
  }

  #find(lane: Lane, seq: number) {
    const mark = this.#parts.deliveries[lane].mark();
    const blocked = mark ? this.#parts.blocked.get(mark.database, seq) : null;
    return blocked?.state === 'dead' && lanes[blocked.lane] === lane ? blocked : null;
  }

  #listDead(): DeadLetterView[] {
    return [
      ...deadLetters(this.#parts, 0, limits.listRowsDefault),
      ...neverAccepted(this.#parts.refused, 0, limits.listRowsDefault),
    ];
  }
}
