/**
 * What moving a mark would affect: the entries between, by table and key, and which of them the
 * database has. Reads only.
 */
import { toMutation } from '../../bridges/lanes.ts';
import { messageOf } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { compareWritten, writtenBy } from '../../contracts/row-guard.ts';
import type {
  BackendFinding,
  LanePlan,
  PlannedEntry,
  SeqRange,
} from '../../contracts/mark-move.ts';
import { type Lane, laneIndex } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import type { Mark } from '../../hwm/mark-store.ts';
import { isoOf, nextTurn } from '../../runtime/clock.ts';
import type { Backend } from '../replay/delivery.ts';
import type { Journal } from '../journal/journal.ts';
import { guidText } from '../state/entry-identity.ts';
import type { Connection } from '../state/connection.ts';

type Between = {
  seq: number;
  action: string;
  key: string;
  guid: Buffer;
  acceptedMs: number;
  isGone: number;
};

const tables: Readonly<Record<string, string>> = {
  QP_UpsertWorkItem: 'UVQueueWorkItem',
  QP_UpdateWorkItem: 'UVQueueWorkItem',
  QP_AppendEvent: 'UVQueueWorkItemEvent',
  QP_InsertAttempt: 'UVQueueWorkItemAttempt',
  QP_UpdateAttemptOutcome: 'UVQueueWorkItemAttempt',
  MS_UpsertManifest: 'UVManifest',
  MS_RemoveManifest: 'UVManifest',
};

function statementsOf(db: Connection) {
  return {
    // Scans the primary key, because entries without bodies are not in the index by lane.
    between: db.prepare<
      [number, number, number, number],
      Between
    >(`select seq, action, key, guid, accepted_ms as acceptedMs, body is null as isGone from entry
      where seq > ? and seq <= ? and lane = ? order by seq limit ?`),
    atOrBefore: db.prepare<[number, number], { seq: number }>(
      'select seq from known_entry where seq <= ? and lane = ? order by seq desc limit 1',
    ),
    since: db.prepare<
      [number, number, number],
      { last: number | null; found: number | null }
    >(`select max(seq) as last, min(case when acceptedMs >= ? then seq end) as found
      from (select seq, accepted_ms as acceptedMs from known_entry where seq > ? order by seq limit ?)`),
  };
}

/** Counts the entries of a slice while it is read. */
class Tally {
  readonly rows: PlannedEntry[] = [];
  readonly samples: number[] = [];
  slice: SeqRange | null = null;
  gone: SeqRange | null = null;
  readonly #keys = new Map<string, number>();
  readonly #tables = new Map<string, { entries: number; keys: Set<string> }>();

  add(entry: Between): void {
    if (entry.isGone) {
      this.gone = grown(this.gone, entry.seq);
      return;
    }
    this.slice = grown(this.slice, entry.seq);
    if (this.rows.length < limits.planRowsMax) {
      this.rows.push({
        Seq: entry.seq,
        Action: entry.action,
        Key: entry.key,
        EventGUID: guidText(entry.guid),
        AcceptedAt: isoOf(entry.acceptedMs),
      });
    }
    this.#keys.set(entry.key, (this.#keys.get(entry.key) ?? 0) + 1);
    const name = tables[entry.action] ?? entry.action;
    const table = this.#tables.get(name) ?? { entries: 0, keys: new Set() };
    table.entries += 1;
    table.keys.add(entry.key);
    this.#tables.set(name, table);
  }

  get tables(): LanePlan['Tables'] {
    return [...this.#tables].map(([Table, { entries, keys }]) => ({
      Table,
      Entries: entries,
      Keys: keys.size,
    }));
  }

  get keys(): LanePlan['Keys'] {
    const most = [...this.#keys].toSorted((a, b) => b[1] - a[1]).slice(0, limits.planKeysMax);
    return most.map(([Key, Entries]) => ({ Key, Entries }));
  }
}

function grown(range: SeqRange | null, seq: number): SeqRange {
  return { Entries: (range?.Entries ?? 0) + 1, First: range?.First ?? seq, Last: seq };
}

export class MarksPlanner {
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #journal: Journal;
  readonly #blocked: BlockedStore;

  constructor(parts: { db: Connection; journal: Journal; blocked: BlockedStore }) {
    this.#sql = statementsOf(parts.db);
    this.#journal = parts.journal;
    this.#blocked = parts.blocked;
  }

  /**
   * The Seq just before the first entry, of either lane, that was accepted at or after a time; null
   * without one.
   */
  async beforeTime(ms: number): Promise<number | null> {
    for (let from = 0; ;) {
      const { last, found } = this.#sql.since.get(ms, from, limits.planStepEntries) ?? {
        last: null,
        found: null,
      };
      if (found !== null) return found - 1;
      if (last === null) return null;
      from = last;
      await nextTurn();
    }
  }

  /** The Seq of the lane's last entry at or before `seq`; 0 when there is none. */
  lastAt(lane: Lane, seq: number): number {
    return this.#sql.atOrBefore.get(seq, laneIndex(lane))?.seq ?? 0;
  }

  /** Reads in steps, so that answers to writes do not have to wait. */
  async plan(lane: Lane, mark: Mark, to: number, backend: Backend | null): Promise<LanePlan> {
    const isForwards = to > mark.seq;
    const [low, high] = isForwards ? [mark.seq, to] : [to, mark.seq];
    const tally = new Tally();
    for (let from = low; ;) {
      const step = this.#sql.between.all(from, high, laneIndex(lane), limits.planStepEntries);
      for (const entry of step) tally.add(entry);
      if (step.length < limits.planStepEntries) break;
      from = step.at(-1)?.seq ?? high;
      await nextTurn();
    }
    const skipped = this.#blocked.skipped.count(mark.database, lane, low, high);
    return {
      Lane: lane,
      BeaconID: mark.beacon,
      IDBeaconConnection: mark.connection,
      From: mark.seq,
      To: to,
      Direction: to === mark.seq ? 'none' : isForwards ? 'forwards' : 'backwards',
      Stretch: tally.slice,
      Gone: tally.gone,
      Held: this.#blocked.countBetween(mark.database, lane, low, high) - skipped,
      Skipped: skipped,
      Tables: tally.tables,
      Keys: tally.keys,
      Rows: isForwards ? tally.rows : [],
      Backend: await this.#ask(lane, tally.slice, backend),
    };
  }

  async #ask(lane: Lane, slice: SeqRange | null, backend: Backend | null): Promise<BackendFinding> {
    if (!backend) return { IsThere: false, Reason: 'the database is not assigned, or away' };
    try {
      const mark = await backend.mark();
      const checked = await Promise.all(
        this.#samples(lane, slice).map(async (seq) => ({
          seq,
          has: await this.#has(seq, backend),
        })),
      );
      return {
        IsThere: true,
        Mark: mark && { Epoch: mark.Epoch, Seq: mark.Seq },
        Checked: checked.length,
        Has: checked.filter((one) => one.has).length,
        Lacks: checked.filter((one) => !one.has).map((one) => one.seq),
      };
    } catch (error) {
      return { IsThere: false, Reason: messageOf(error) };
    }
  }

  /** A sample of the slice's entries, spread evenly, with the first and the last. */
  #samples(lane: Lane, slice: SeqRange | null): number[] {
    if (!slice) return [];
    const parts = limits.planSamples - 1;
    const near = Array.from({ length: limits.planSamples }, (_, at) =>
      this.lastAt(lane, slice.First + Math.floor(((slice.Last - slice.First) * at) / parts)),
    );
    return [...new Set(near)].filter(
      (seq) => seq >= slice.First && this.#journal.read(seq) !== null,
    );
  }

  /**
   * Whether the row of an entry was written by it or by a later one. For a delete the row may also
   * be missing.
   */
  async #has(seq: number, backend: Backend): Promise<boolean> {
    const entry = this.#journal.read(seq);
    if (!entry) return true;
    const mutation = toMutation(entry);
    const row = await backend.row(mutation.Table, mutation.Key);
    return row ? compareWritten(writtenBy(row), mutation) >= 0 : mutation.Op === 'delete';
  }
}
