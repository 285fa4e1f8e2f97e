/**
 * Who accepted the entries of this store, each with its Term: the store itself, before and after it
 * took its hub over, and others whose entries were merged into it. The last own one is the owner
 * that this store is now.
 *
 * Constraints: I11. A Term is taken once, at the first contact with a database; a new one needs a
 * new owner, so that an entry keeps the Term it was accepted under.
 */
import { newUuid, systemClock } from '../../runtime/clock.ts';
import type { Connection } from './connection.ts';

/** `term` is null until the store has met its first database. */
export type Owner = { id: number; owner: string; term: number | null };

/** A later owner that this store has met: it does not serve until it is told to take over. */
export type MetOwner = { term: number; owner: string; where: string; atMs: number };

const metName = 'owner_met';
function statementsOf(db: Connection) {
  return {
    all: db.prepare<[], Owner>('select id, owner, term from owner'),
    current: db.prepare<[], Owner>(
      'select id, owner, term from owner where is_own = 1 order by id desc limit 1',
    ),
    add: db.prepare<[string, number | null, number, number]>(
      'insert into owner (owner, term, is_own, since_ms) values (?, ?, ?, ?)',
    ),
    take: db.prepare<[number, number]>('update owner set term = ? where id = ?'),
    demote: db.prepare<[number, string]>(
      'update owner set term = term - 1 where term = ? and owner <> ?',
    ),
    greatest: db.prepare<[], number>('select coalesce(max(term), 0) from owner').pluck(),
    meta: db.prepare<[string], string>('select value from meta where name = ?').pluck(),
    // What a copy of this store moved under the epoch of before does not count as ours.
    renewEpochs: db.prepare<[string]>(
      "update mark set epoch_before = trim(coalesce(epoch_before, '') || ' ' || epoch), " +
        'seq_before = min(coalesce(seq_before, seq), seq), epoch = ?',
    ),
    setMeta: db.prepare<[string, string]>(
      'insert into meta values (?, ?) on conflict (name) do update set value = excluded.value',
    ),
  };
}

/** Gives a store its first owner, that of a new store and of one from before there were Terms. */
export function beginOwner(db: Connection): void {
  if (statementsOf(db).current.get()) return;
  statementsOf(db).add.run(newUuid(), null, 1, systemClock.nowMs());
}

export class Owners {
  /** An operator said so: until a Term is taken, it will be greater than any that is known. */
  takesOver = false;
  readonly #db: Connection;
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #terms = new Map<number, number | null>();
  #current: Owner;

  constructor(db: Connection) {
    this.#db = db;
    this.#sql = statementsOf(db);
    beginOwner(db);
    this.#current = this.#sql.current.get() as Owner;
    this.#read();
  }

  #read(): void {
    for (const { id, term } of this.#sql.all.all()) this.#terms.set(id, term);
  }

  /** The owner that this store is now. */
  get current(): Readonly<Owner> {
    return this.#current;
  }

  /**
   * The Term of an entry. Before the store has met a database that keeps marks it is that of the
   * first owner there ever was; carriers that keep none send it so. An owner of before that never
   * had one stands before nobody.
   */
  termOf(id: number): number {
    if (!this.#terms.has(id)) this.#read();
    return this.#terms.get(id) ?? (id === this.#current.id ? 1 : 0);
  }

  /** It has no Term yet. */
  get isNew(): boolean {
    return this.#current.term === null;
  }

  /** Whether entries of this owner were accepted here, or were merged in. */
  isKnown(owner: string): boolean {
    return this.#sql.all.all().some((one) => one.owner === owner);
  }

  /** The greatest Term that this store knows of. */
  greatest(): number {
    return Math.max(this.#sql.greatest.get() ?? 0, this.met?.term ?? 0);
  }

  /** The Term by which this store goes before others, taken or not; 0 for a new one. */
  claim(): number {
    return this.#current.term ?? (this.takesOver ? this.greatest() + 1 : 0);
  }

  /** Takes a Term, synced before anything is sent under it. */
  take(term: number): void {
    this.#sql.take.run(term, this.#current.id);
    this.#current = { ...this.#current, term };
    this.#terms.set(this.#current.id, term);
  }

  /**
   * Of two owners that took the same Term, the one in the mark row has it: whoever else did never
   * came that far, and stands before it.
   */
  yieldTo(term: number, owner: string): void {
    if (this.#sql.demote.run(term, owner).changes === 0) return;
    this.#current = this.#sql.current.get() as Owner;
    this.#read();
  }

  /** Begins as a new owner, by an operator's word; its Term is taken at the next contact. */
  renew(): void {
    this.takesOver = true;
    this.#db
      .transaction(() => {
        this.#sql.add.run(newUuid(), null, 1, systemClock.nowMs());
        this.#sql.renewEpochs.run(newUuid());
      })
      .immediate();
    this.#current = this.#sql.current.get() as Owner;
    this.#terms.set(this.#current.id, null);
  }

  /** The later owner that ended this store's service; null when there was none, or it took over. */
  get met(): MetOwner | null {
    const text = this.#sql.meta.get(metName);
    return text === undefined || text === '' ? null : (JSON.parse(text) as MetOwner);
  }

  meet(met: MetOwner): void {
    this.#sql.setMeta.run(metName, JSON.stringify(met));
  }
}
