/**
 * The projection: what the journal knows of each row, for reads. It follows the journal at a
 * position of its own and catches up when a read needs it, so that accepting writes never pays for
 * it.
 */
import { toMutation } from '../../bridges/lanes.ts';
import { type KnownRow, learn } from '../../bridges/read-merge.ts';
import { limits } from '../../contracts/limits.ts';
import { termOf } from '../../contracts/row-guard.ts';
import { laneTables, type TableName } from '../../contracts/schema.ts';
import { type Lane, laneIndex } from '../../contracts/subjects.ts';
import { nextTurn } from '../../runtime/clock.ts';
import type { Entry } from '../../bridges/entry.ts';
import type { Journal } from './journal.ts';
import { type Projected, projectedOf, type ProjectedRow, RowSearch } from './row-search.ts';
import type { Connection } from '../state/connection.ts';
import type { Store } from '../state/store.ts';

/** Attempts are never read by hubs, so the journal keeps no view of them. */
const isProjected = (table: string) => table !== 'UVQueueWorkItemAttempt';

function statementsOf(db: Connection) {
  return {
    position: db.prepare<[number], number>('select seq from projection where lane = ?').pluck(),
    move: db.prepare<[number, number]>('update projection set seq = ? where lane = ?'),
    get: db.prepare<[string, string, string], ProjectedRow>(
      'select key, seq, doc from projected where tbl = ? and key = ? and sub = ?',
    ),
    seqsOfKey: db
      .prepare<[string, string, number], number>(
        'select seq from projected where tbl = ? and key = ? order by seq desc limit ?',
      )
      .pluck(),
    ofKey: db.prepare<[string, string], ProjectedRow>(
      'select key, seq, doc from projected where tbl = ? and key = ?',
    ),
    put: db.prepare<
      [string, string, string, number, string]
    >(`insert into projected values (?, ?, ?, ?, ?)
      on conflict (tbl, key, sub) do update set seq = excluded.seq, doc = excluded.doc`),
    forget: db.prepare<[string, number, number]>(
      'delete from projected where tbl = ? and seq > ? and seq <= ?',
    ),
  };
}

export class Projection {
  readonly search: RowSearch;
  readonly #store: Pick<Store, 'wrote'>;
  readonly #db: Connection;
  readonly #journal: Journal;
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #running = new Map<Lane, Promise<void>>();

  constructor(store: Pick<Store, 'db' | 'wrote'>, journal: Journal) {
    const { db } = store;
    this.#store = store;
    this.#db = db;
    this.#journal = journal;
    this.#sql = statementsOf(db);
    this.search = new RowSearch(db);
  }

  position(lane: Lane): number {
    return this.#sql.position.get(laneIndex(lane)) ?? 0;
  }

  /**
   * Resolves when the projection has every entry accepted before the call. `goesOn` is asked
   * between two steps; false ends it early.
   */
  async catchUp(lane: Lane, goesOn: () => boolean = () => true): Promise<void> {
    const head = this.#journal.counts(lane).head;
    while (this.position(lane) < head && goesOn()) {
      // A run that another caller began may end too early for us: then we begin the next one.
      const running = this.#running.get(lane) ?? this.#run(lane, head, goesOn);
      this.#running.set(lane, running);
      try {
        await running;
      } finally {
        this.#running.delete(lane);
      }
    }
  }

  /** Takes one step, unless a run is under way. */
  async advance(lane: Lane): Promise<void> {
    if (!this.#running.has(lane) && this.position(lane) < this.#journal.counts(lane).head)
      this.#step(lane);
  }

  async #run(lane: Lane, head: number, goesOn: () => boolean): Promise<void> {
    while (goesOn() && this.#step(lane) < head) await nextTurn();
  }

  /**
   * Takes one step and returns the new position: the last entry it read, or the head when there was
   * none. It is a function of its own so that its entries are freed before the loop waits;
   * otherwise they would all grow old in the heap.
   */
  #step(lane: Lane): number {
    const entries = this.#journal.readAfter(
      lane,
      this.position(lane),
      limits.projectionStepEntries,
      limits.deliverBytesMax,
    );
    const through = entries.at(-1)?.seq ?? this.#journal.counts(lane).head;
    this.#db
      .transaction(() => {
        for (const entry of entries) this.#take(entry);
        this.#sql.move.run(through, laneIndex(lane));
      })
      .immediate();
    // Rows lie in the order of their keys, each on a page of its own.
    this.#store.wrote(entries.length * limits.pageBytes);
    return through;
  }

  #take(entry: Entry): void {
    const mutation = toMutation(entry);
    if (!isProjected(mutation.Table)) return;
    const sub = mutation.Op === 'insert' ? String(mutation.Key['EventGUID']) : '';
    const known = this.#sql.get.get(mutation.Table, entry.key, sub);
    if (known && mutation.Op === 'insert') return;
    const before = known ? (JSON.parse(known.doc) as KnownRow) : null;
    // Merged in from an earlier owner: the database keeps what is there, whatever its Seq.
    if (before && Number(before['BridgeTerm'] ?? 0) > termOf(mutation)) return;
    const row = learn(before, mutation);
    row['BridgeSeq'] = entry.seq;
    row['BridgeTerm'] = entry.term ?? 0;
    if (mutation.Table === 'UVManifest' && mutation.Op === 'write') {
      // The manifest itself stays in the journal, where it already is.
      delete row['ManifestJSON'];
      if ('ManifestJSON' in mutation.Set || row['ManifestSeq'] === undefined)
        row['ManifestSeq'] = entry.seq;
    }
    this.#sql.put.run(mutation.Table, entry.key, sub, entry.seq, JSON.stringify(row));
  }

  /** The row of a key, or null when the projection has none. */
  row(table: TableName, key: string): Projected | null {
    const found = this.#sql.get.get(table, key, '');
    return found ? projectedOf(found) : null;
  }

  /** All rows of a key: the events of a work item. */
  rowsOf(table: TableName, key: string): Projected[] {
    return this.#sql.ofKey.all(table, key).map(projectedOf);
  }

  /** Seqs of the entries that last wrote the rows of a key, newest first in each table. */
  seqsOf(lane: Lane, key: string, limit: number): number[] {
    return laneTables[lane].flatMap((table) => this.#sql.seqsOfKey.all(table, key, limit));
  }

  /**
   * Forgets rows whose last write, with `after` < Seq <= `through`, was stripped: the backend has
   * them.
   */
  forgetBetween(lane: Lane, after: number, through: number): void {
    for (const table of laneTables[lane]) this.#sql.forget.run(table, after, through);
  }
}
