/** The owners of merged entries: each keeps the Term that it was accepted under. */
import type { Connection } from '../connection.ts';
import type { StoredEntry } from './entry-lines.ts';
import type { SourceTables } from './merge-tables.ts';

/** Of entries of before there were Terms. */
const nobody = 0;

function statementsOf(db: Connection) {
  return {
    find: db.prepare<[string], { id: number; term: number | null; isOwn: number }>(
      'select id, term, is_own as isOwn from owner where owner = ?',
    ),
    add: db.prepare<[string, number]>(
      'insert into owner (owner, term, is_own, since_ms) values (?, ?, 0, 0)',
    ),
    raise: db.prepare<[number, number]>('update owner set term = ? where id = ?'),
    store: db.prepare<[], string>("select value from meta where name = 'store'").pluck(),
    current: db
      .prepare<[], number>('select id from owner where is_own = 1 order by id desc limit 1')
      .pluck(),
  };
}

export class MergeOwners {
  readonly #sql: ReturnType<typeof statementsOf>;

  /** Its files were lost, and what they held is brought back: the same store goes on. */
  readonly #isOwnStore: boolean;

  constructor(db: Connection, { meta = [] }: SourceTables) {
    this.#sql = statementsOf(db);
    const theirs = meta.find((row) => row['name'] === 'store')?.['value'];
    this.#isOwnStore = theirs !== undefined && theirs === this.#sql.store.get();
  }

  /**
   * The number under which this store knows the owner of an entry. One that never had a Term gets
   * Term 0: nothing of it stands before what others wrote. Where the file does not tell, or this
   * store had no Term yet when it lost its files, it is the owner of now, and Seq decides.
   */
  idOf({ owner, term }: Pick<StoredEntry, 'owner' | 'term'>): number {
    if (owner === '') return nobody;
    if (owner === null) return this.#sql.current.get() ?? nobody;
    const known = this.#sql.find.get(owner);
    if (!known && term === null && this.#isOwnStore) return this.#sql.current.get() ?? nobody;
    if (!known) return Number(this.#sql.add.run(owner, term ?? 0).lastInsertRowid);
    // Its own were exported, or saved, before it took its Term, or later than those that are here.
    if (term !== null && known.isOwn === 0 && term > (known.term ?? 0))
      this.#sql.raise.run(term, known.id);
    return known.id;
  }
}
