/**
 * Which database each lane goes to: the operator's word, kept in the store, else the beacon whose
 * tag offers itself.
 */
import type { AssignmentFile, AssignmentView } from '../../contracts/status.ts';
import { type Lane, laneIndex, lanes } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
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

export class Assignments {
  readonly #db: Connection;
  readonly #parts: TargetOptions;
  readonly #current = new Map<Lane, Assignment>();
  /** One per database, shared by the lanes that go there. */
  readonly #targets = new Map<string, Target>();
  readonly #listeners: (() => void)[] = [];

  constructor(db: Connection, parts: TargetOptions) {
    this.#db = db;
    this.#parts = parts;
    for (const lane of lanes) {
      const row = db
        .prepare(
          'select beacon, connection, assigned_ms as assignedMs from assignment where lane = ?',
        )
        .get(laneIndex(lane));
      if (row) this.#current.set(lane, { ...(row as Omit<Assignment, 'by'>), by: 'operator' });
    }
  }

  start(): void {
    this.#parts.directory.onChange(() => this.#followTags());
    this.#retarget();
  }

  stop(): void {
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
    const assignedMs = this.#parts.clock.nowMs();
    this.#db
      .transaction(() => {
        for (const lane of which) {
          this.#db
            .prepare(`insert into assignment values (?, ?, ?, ?) on conflict (lane) do update set
          beacon = excluded.beacon, connection = excluded.connection, assigned_ms = excluded.assigned_ms`)
            .run(laneIndex(lane), beacon, connection, assignedMs);
        }
      })
      .immediate();
    for (const lane of which)
      this.#current.set(lane, { beacon, connection, assignedMs, by: 'operator' });
    this.#retarget();
  }

  /** Whether a beacon is there that has no databases to choose from. */
  isLegacy(beacon: string): boolean {
    const presence = this.#parts.directory.find(beacon);
    return presence !== null && isLegacy(presence);
  }

  /** Takes the operator's word back; a tagged beacon, if there is one, is followed again. */
  clear(): void {
    this.#db.prepare('delete from assignment').run();
    this.#current.clear();
    this.#followTags();
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

  #followTags(): void {
    const tagged = this.#parts.directory
      .list()
      .find((presence) => Number.isSafeInteger(Number(presence.Tags[tagName] || 'none')));
    if (!tagged) return;
    let isChanged = false;
    for (const lane of lanes) {
      const now = this.of(lane);
      // A tagged beacon that is only away for a while keeps its lane.
      if (now && (now.by === 'operator' || this.#stillTagged(now))) continue;
      this.#current.set(lane, {
        beacon: tagged.BeaconID,
        connection: Number(tagged.Tags[tagName]),
        assignedMs: this.#parts.clock.nowMs(),
        by: 'tag',
      });
      isChanged = true;
    }
    if (isChanged) this.#retarget();
  }

  #stillTagged(assignment: Assignment): boolean {
    const presence = this.#parts.directory.find(assignment.beacon);
    return !presence || Number(presence.Tags[tagName]) === assignment.connection;
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
