/**
 * Decides what each merged entry means for each database of the store: already there, never to be
 * had, blocked, or still to be sent. The source is the file that is merged.
 */
import { markColumns, type MarkRow, markTables } from '../../../hwm/mark-row.ts';
import type { Connection } from '../connection.ts';
import type { StoredEntry } from './entry-lines.ts';
import {
  isNewStore,
  numberOf,
  type SourceRow,
  sourceRows,
  type SourceTables,
  textOf,
} from './merge-tables.ts';

type Place = 'applied' | 'skipped' | 'dead' | 'dropped' | 'parked';

/** What the source knows of one database and lane. */
type Theirs = { seq: number; trustedSeq: number; blocked: Map<number, SourceRow>; mark: SourceRow };

type OwnMark = MarkRow & { lane: number };

/** A mark of the store, the source's mark of the same database, and the counts to be added. */
type Pair = OwnMark & { theirs: Theirs | null; head: number; applied: number; skipped: number };

/**
 * The row of meta that names the source of a merge that restores marks, from its first to its last
 * transaction.
 */
export const restoringName = 'restoring';

const nameOf = (beacon: string, connection: number, lane: number) =>
  `${beacon}/${connection}/${lane}`;

function statementsOf(db: Connection) {
  return {
    marks: db.prepare<[], OwnMark>(`select m.lane, ${markColumns()} from ${markTables}`),
    head: db.prepare<[number], number>('select head from lane where lane = ?').pluck(),
    add: db.prepare(
      'update mark set applied = applied + @applied, skipped = skipped + @skipped where ' +
        'database = @database and lane = @lane',
    ),
    hold: db.prepare(
      'insert into held values (@database, @seq, @lane, @key, @state, @reason, @sinceMs) ' +
        'on conflict (database, seq) do nothing',
    ),
    guid: db
      .prepare<[number, number], Buffer>('select guid from known_entry where seq = ? and lane = ?')
      .pluck(),
    countsAt: db.prepare<
      { database: number; lane: number; seq: number },
      { settled: number; strippedAbove: number }
    >(
      'select (select count(*) from known_entry where lane = @lane and seq <= @seq) - ' +
        '(select count(*) from held where database = @database and lane = @lane ' +
        'and seq <= @seq) as settled, (select count(*) from entry ' +
        'where lane = @lane and seq > @seq and body is null) as strippedAbove',
    ),
    raise: db.prepare(
      'update mark set seq = @seq, guid = @guid, recorded_ms = @recordedMs, ' +
        'applied_ms = @appliedMs, applied = @applied, present = @present, ' +
        'skipped = @skipped, superseded = @superseded ' +
        'where database = @database and lane = @lane and seq = 0',
    ),
    restored: db.prepare<[string], string>('select value from meta where name = ?').pluck(),
    restore: db.prepare('insert or replace into meta values (?, ?)'),
    done: db.prepare('delete from meta where name = ?'),
  };
}

export class MergeMarks {
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #nowMs: number;
  readonly #theirs = new Map<string, Theirs>();
  /**
   * The store had no marks: the source's were taken over at Seq 0, and are raised once all entries
   * are in.
   */
  readonly #isRestoring: boolean;
  readonly #from: string;
  #pairs: Pair[] = [];
  #parked = 0;
  #isReplayRunning = false;

  /**
   * @param isDoubtful a mark from a damaged file may be too high, and would hide entries that were
   * never sent
   */
  constructor(
    db: Connection,
    { tables, isDoubtful }: { tables: SourceTables; isDoubtful: boolean },
    { nowMs, from = '' }: { nowMs: number; from?: string },
  ) {
    this.#sql = statementsOf(db);
    this.#nowMs = nowMs;
    this.#from = from;
    this.#isRestoring =
      isNewStore(db) || (from !== '' && this.#sql.restored.get(restoringName) === from);
    const databases = new Map(
      sourceRows(tables, 'database').map((row) => [numberOf(row, 'id'), row]),
    );
    const blocked = Map.groupBy(
      sourceRows(tables, 'held'),
      (row) => `${numberOf(row, 'database')}/${numberOf(row, 'lane')}`,
    );
    for (const mark of sourceRows(tables, 'mark')) {
      const [id, lane] = [numberOf(mark, 'database'), numberOf(mark, 'lane')];
      const database = databases.get(id);
      if (!database) continue;
      const rows = blocked.get(`${id}/${lane}`) ?? [];
      this.#theirs.set(nameOf(textOf(database, 'beacon'), numberOf(database, 'connection'), lane), {
        mark,
        seq: numberOf(mark, 'seq'),
        trustedSeq: isDoubtful ? 0 : numberOf(mark, 'seq'),
        blocked: new Map(rows.map((row) => [numberOf(row, 'seq'), row])),
      });
    }
  }

  /**
   * Call it in the transaction that takes the tables over. A crash before the end must not leave
   * the marks at 0 for good, so it records that the next run of this source goes on restoring them.
   */
  begin(): void {
    if (this.#isRestoring && this.#from !== '') this.#sql.restore.run(restoringName, this.#from);
  }

  /** Reads the marks as they are now; called first in each transaction. */
  look(isReplayRunning: boolean): void {
    this.#isReplayRunning = isReplayRunning;
    this.#parked = 0;
    this.#pairs = this.#sql.marks.all().map((own) => ({
      ...own,
      head: this.#sql.head.get(own.lane) ?? 0,
      applied: 0,
      skipped: 0,
      theirs: this.#theirsOf(own),
    }));
  }

  /**
   * Null when the source's database of the same name is another one: its mark says nothing about
   * this one.
   */
  #theirsOf(own: OwnMark): Theirs | null {
    const theirs = this.#theirs.get(nameOf(own.beacon, own.connection, own.lane));
    const storeId = theirs ? textOf(theirs.mark, 'store_id') : '';
    const isOther = storeId !== '' && own.storeId !== '' && storeId !== own.storeId;
    return theirs && !isOther ? theirs : null;
  }

  /** Counts or blocks an entry that was just inserted under `seq`, for each database. */
  place(row: StoredEntry, seq: number): void {
    for (const pair of this.#pairs) {
      if (pair.lane !== row.lane) continue;
      const blocked = pair.theirs?.blocked.get(row.seq);
      const place = placeOf(row, seq, pair, blocked, this.#isReplayRunning);
      if (place === null) continue;
      if (place === 'applied' || place === 'skipped') {
        pair[place] += 1;
        continue;
      }
      if (place === 'parked') this.#parked += 1;
      this.#sql.hold.run({
        database: pair.database,
        lane: pair.lane,
        seq,
        key: row.key ?? (blocked ? textOf(blocked, 'key') : ''),
        state: place,
        reason: blocked && typeof blocked['reason'] === 'string' ? blocked['reason'] : null,
        sinceMs: blocked ? numberOf(blocked, 'since_ms') : this.#nowMs,
      });
    }
  }

  /**
   * Writes the counts; called last in each transaction.
   * @returns how often an entry was parked for a database
   */
  write(): number {
    for (const { database, lane, applied, skipped } of this.#pairs) {
      if (applied + skipped > 0) this.#sql.add.run({ database, lane, applied, skipped });
    }
    return this.#parked;
  }

  /**
   * Raises the marks that were taken over, with their counts. A mark from a damaged file is raised
   * only if the entry at its Seq has the GUID that the mark names; otherwise everything is sent
   * again.
   */
  finish(): void {
    if (!this.#isRestoring) return;
    this.#sql.done.run(restoringName);
    this.look(false);
    for (const { database, lane, theirs } of this.#pairs) {
      if (!theirs) continue;
      const { mark, seq } = theirs;
      const guid = this.#sql.guid.get(seq, lane);
      if (
        theirs.trustedSeq !== seq &&
        !(guid && Buffer.isBuffer(mark['guid']) && guid.equals(mark['guid']))
      )
        continue;
      const { settled, strippedAbove } = this.#sql.countsAt.get({ database, lane, seq }) as {
        settled: number;
        strippedAbove: number;
      };
      // `settled` also counts entries that the database never had: skipped ones, and dropped ones
      // that retention has stripped.
      const notHad = Math.min(numberOf(mark, 'skipped') + numberOf(mark, 'dropped'), settled);
      const superseded = Math.min(numberOf(mark, 'superseded'), settled - notHad);
      const present = Math.min(numberOf(mark, 'present'), settled - notHad - superseded);
      this.#sql.raise.run({
        database,
        lane,
        seq,
        present,
        skipped: notHad + strippedAbove,
        superseded,
        applied: settled - notHad - present - superseded,
        guid: mark['guid'] ?? null,
        recordedMs: mark['recorded_ms'] ?? null,
        appliedMs: mark['applied_ms'] ?? null,
      });
    }
  }
}

/** Null for an entry above the mark, which is delivered in its turn. */
function placeOf(
  row: StoredEntry,
  seq: number,
  own: Pair,
  blocked: SourceRow | undefined,
  isReplayRunning: boolean,
): Place | null {
  const isBelow = seq <= own.seq;
  const state = blocked?.['state'];
  if (row.body === null) {
    // Without a body nothing can be sent. Only the source can say whether the database has the
    // entry.
    if (state === 'dropped' && isBelow) return 'dropped';
    return own.theirs !== null && own.theirs.trustedSeq >= row.seq && !blocked
      ? 'applied'
      : 'skipped';
  }
  if (state === 'dead' || state === 'dropped' || state === 'parked') return state;
  if (isBelow)
    return own.theirs !== null && own.theirs.trustedSeq >= row.seq ? 'applied' : 'parked';
  return isReplayRunning && seq <= own.head ? 'parked' : null;
}
