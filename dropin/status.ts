/**
 * Caches the worker's last status of a lane, because the incumbent answers questions about it
 * synchronously.
 */
import { isJsonObject, type JsonObject } from '../contracts/body/json-value.ts';
import type { LaneState } from '../contracts/status.ts';
import type { FileStatus } from './waiting/opening.ts';

/** The incumbent's status, member for member, and what waits in the hub. */
export type PersistenceStatus = LaneView & { Unanswered: number; File: FileStatus };

export type LaneView = {
  State: LaneState;
  AssignedBeaconID: string | null;
  IDBeaconConnection: number;
  LastError: string | null;
  BootstrappedAt: string | null;
  AssignedAt: string | null;
};

export class StatusCache {
  readonly #lane: 'Queue' | 'Manifest';
  #status: LaneView = {
    State: 'waiting-for-beacon',
    AssignedBeaconID: null,
    IDBeaconConnection: 0,
    LastError: 'the worker has not been reached yet',
    BootstrappedAt: null,
    AssignedAt: null,
  };
  #carrier: string | null = null;
  #isHeard = false;
  /** What to say of an assignment to a name that no beacon has. */
  #hint: { beacon: string; reason: string } | null = null;

  constructor(lane: 'Queue' | 'Manifest') {
    this.#lane = lane;
  }

  /** Takes the worker's status, or its answer to an assignment; ignores anything else. */
  take(reply: JsonObject): void {
    const lane = reply[this.#lane];
    if (!isJsonObject(lane)) return;
    const {
      State,
      AssignedBeaconID,
      IDBeaconConnection,
      LastError,
      BootstrappedAt,
      AssignedAt,
      Carrier,
    } = lane;
    this.#status = {
      State: State as LaneState,
      AssignedBeaconID: textOf(AssignedBeaconID),
      IDBeaconConnection: typeof IDBeaconConnection === 'number' ? IDBeaconConnection : 0,
      LastError: textOf(LastError),
      BootstrappedAt: textOf(BootstrappedAt),
      AssignedAt: textOf(AssignedAt),
    };
    this.#carrier = textOf(Carrier);
    this.#isHeard = true;
  }

  /** When nobody answers, keep the last known database and report the error. */
  away(reason: string): void {
    this.#status = {
      ...this.#status,
      State: this.#isHeard ? 'error' : 'waiting-for-beacon',
      LastError: reason,
    };
  }

  /** An assignment was requested and is not answered yet. */
  assigning(beaconId: string | null, connection: number, at: string): void {
    this.#status = {
      State: beaconId === null ? 'unassigned' : 'waiting-for-beacon',
      AssignedBeaconID: beaconId,
      IDBeaconConnection: beaconId === null ? 0 : connection,
      LastError: null,
      BootstrappedAt: null,
      AssignedAt: beaconId === null ? null : at,
    };
  }

  /** Nobody has that name: said while its beacon is waited for. */
  unknownBeacon(beacon: string, reason: string): void {
    this.#hint = { beacon, reason };
  }

  status(): LaneView {
    const { State, AssignedBeaconID, LastError } = this.#status;
    const isHinted = State === 'waiting-for-beacon' && this.#hint?.beacon === AssignedBeaconID;
    return {
      ...this.#status,
      LastError: LastError ?? (isHinted ? (this.#hint?.reason ?? null) : null),
    };
  }

  /** True while the database takes writes through tables: the incumbent's MeadowProxy mode. */
  isTableMode(): boolean {
    return this.#status.State === 'bootstrapped' && this.#carrier !== 'legacy';
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
