/**
 * Which database each lane goes to: the operator's word, else the beacon whose tag offered itself
 * first. Both are kept in the store.
 */
import { messageOf } from '../../contracts/errors.ts';
import type { AssignmentFile, AssignmentView } from '../../contracts/status.ts';
import { type Lane, laneIndex, lanes } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { Connection } from '../state/connection.ts';
import { isLegacy } from './offers.ts';
import { Target, type TargetOptions } from './target.ts';

export type Assignment = {
  beacon: string;
  connection: number;
  assignedMs: number;
  by: 'operator' | 'tag';
};

const tagName = 'PersistenceConnectionID';
/** Where each kind is kept: apart, so that a program from before the choice was kept takes it for no order. */
const tableOf = { tag: 'tag_choice', operator: 'assignment' } as const;
const timeIn = { tag: 'chosen_ms', operator: 'assigned_ms' } as const;

export class Assignments {
  readonly #db: Connection;
  readonly #parts: TargetOptions;
  readonly #current = new Map<Lane, Assignment>();
  /** One per database, shared by the lanes that go there. */
  readonly #targets = new Map<string, Target>();
  readonly #listeners: (() => void)[] = [];
  #unlisten: () => void = () => undefined;

  constructor(db: Connection, parts: TargetOptions) {
    this.#db = db;
    this.#parts = parts;
    // The operator's word goes before what a tag chose.
    for (const lane of lanes)
      for (const by of ['tag', 'operator'] as const) {
        const row = db
          .prepare<[number], Omit<Assignment, 'by'>>(
            `select beacon, connection, ${timeIn[by]} as assignedMs from ${tableOf[by]} where lane = ?`,
          )
          .get(laneIndex(lane));
        if (row) this.#current.set(lane, { ...row, by });
      }
  }

  start(): void {
    this.#unlisten = this.#parts.directory.onChange((beacon) => {
      const presence = this.#parts.directory.find(beacon);
      if (presence) this.#follow(presence);
    });
    this.#retarget();
  }

  stop(): void {
    this.#unlisten();
    for (const target of this.#targets.values()) target.stop();
  }

  /** Called when an assignment or the state of a target changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  of(lane: Lane): Assignment | null {
    return this.#current.get(lane) ?? null;
  }

  targetOf(lane: Lane): Target | null {
    const assignment = this.of(lane);
    return assignment ? (this.#targets.get(nameOf(assignment)) ?? null) : null;
  }

  /** Sends both lanes, or those named, to a database from now on; kept over restarts. */
  assign(beacon: string, connection: number, which: readonly Lane[] = lanes): void {
    this.#keep({ beacon, connection, by: 'operator' }, which);
    this.#retarget();
  }

  /** For this start and all after it. */
  #keep(chosen: Omit<Assignment, 'assignedMs'>, which: readonly Lane[]): void {
    const { beacon, connection, by } = chosen;
    const assignedMs = this.#parts.clock.nowMs();
    const put = this.#db.prepare(
      `insert into ${tableOf[by]} (lane, beacon, connection, ${timeIn[by]}) values (?, ?, ?, ?) ` +
        'on conflict (lane) do update set beacon = excluded.beacon, ' +
        `connection = excluded.connection, ${timeIn[by]} = excluded.${timeIn[by]}`,
    );
    this.#db
      .transaction(() => {
        for (const lane of which) put.run(laneIndex(lane), beacon, connection, assignedMs);
      })
      .immediate();
    for (const lane of which) this.#current.set(lane, { ...chosen, assignedMs });
  }

  /** Whether a beacon is there that has no databases to choose from. */
  isLegacy(beacon: string): boolean {
    const presence = this.#parts.directory.find(beacon);
    return presence !== null && isLegacy(presence);
  }

  /** Takes the operator's word back, and what a tag chose; a tagged beacon may be chosen again. */
  clear(): void {
    this.#db
      .transaction(() => {
        for (const table of Object.values(tableOf)) this.#db.prepare(`delete from ${table}`).run();
      })
      .immediate();
    this.#current.clear();
    for (const presence of this.#parts.directory.list()) this.#follow(presence);
    this.#retarget();
  }

  /** `persistence-assignment.json`: what the operator said. */
  file(): AssignmentFile {
    return { Queue: this.#view('queue'), Manifest: this.#view('manifest') };
  }

  #view(lane: Lane): AssignmentView {
    const assignment = this.of(lane);
    if (assignment?.by !== 'operator') return null;
    return {
      BeaconID: assignment.beacon,
      IDBeaconConnection: assignment.connection,
      AssignedAt: isoOf(assignment.assignedMs),
    };
  }

  /**
   * A tagged beacon is chosen for lanes that go nowhere, once: a choice holds until an operator
   * takes it back, whatever this beacon or another says of itself later.
   */
  #follow({ BeaconID, Tags }: Presence): void {
    const connection = Number(Tags[tagName] || 'none');
    const free = lanes.filter((lane) => !this.#current.has(lane));
    if (free.length === 0 || !Number.isSafeInteger(connection) || connection < 0) return;
    const chosen = { beacon: BeaconID, connection, by: 'tag' } as const;
    try {
      this.#keep(chosen, free);
    } catch (error) {
      // Delivering is what empties a full disk; only the next start would choose again.
      this.#parts.log.warn({ beacon: BeaconID, reason: messageOf(error) }, 'choice not kept');
      const assignedMs = this.#parts.clock.nowMs();
      for (const lane of free) this.#current.set(lane, { ...chosen, assignedMs });
    }
    this.#retarget();
  }

  #retarget(): void {
    const wanted = new Map(
      [...this.#current.values()].map((assignment) => [nameOf(assignment), assignment]),
    );
    for (const [name, target] of this.#targets) {
      if (wanted.has(name)) continue;
      target.stop();
      this.#targets.delete(name);
    }
    for (const [name, { beacon, connection }] of wanted) {
      if (this.#targets.has(name)) continue;
      const target = new Target(beacon, connection, this.#parts);
      target.onChange(() => this.#report());
      this.#targets.set(name, target);
      target.start();
    }
    this.#report();
  }

  #report(): void {
    for (const listener of this.#listeners) listener();
  }
}

function nameOf(assignment: { beacon: string; connection: number }): string {
  return `${assignment.beacon}/${assignment.connection}`;
}
