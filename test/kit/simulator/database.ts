/**
 * A database behind a simulated beacon: rows, mark rows and what took effect, by the words of the
 * contract. It can go back in time and be exchanged.
 */
import type { ApplyOutputs, ApplySettings, StoredMark } from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import type { MutationResult, RowMutation } from '../../../contracts/mutation.ts';
import { type Scalar, type TableName, tableOf } from '../../../contracts/schema.ts';
import type { Lane } from '../../../contracts/subjects.ts';

type Columns = Record<string, Scalar>;
/** A row, and the numbers of the writes in it. */
export type SimRow = { id: number; table: TableName; columns: Columns; names: number[] };
/** `row` is the one it went to: between owners only the order of each row is kept. */
export type Effect = { key: string; name: number; row: string };
type Content = {
  rows: Map<string, SimRow>;
  marks: Map<Lane, StoredMark>;
  effects: Effect[];
  deletes: number[];
  nextId: number;
};
export type Backup = { content: Content; storeId: string };

function emptyContent(): Content {
  return { rows: new Map(), marks: new Map(), effects: [], deletes: [], nextId: 1 };
}

function objectOf(text: Scalar | undefined): Record<string, unknown> {
  return typeof text === 'string' && text.startsWith('{')
    ? (JSON.parse(text) as Record<string, unknown>)
    : {};
}

/** Writes carry their number as a field `F<number>`, which ends in Extra, or in the manifest. */
function namesIn(columns: Columns): number[] {
  const fields = [
    ...Object.keys(objectOf(columns['Extra'])),
    ...Object.keys(objectOf(columns['ManifestJSON'])),
  ];
  return fields.filter((name) => /^F\d+$/.test(name)).map((name) => Number(name.slice(1)));
}

function isEmpty(value: Scalar | undefined): boolean {
  return value === null || value === undefined || value === '' || value === 0 || value === false;
}

export class SimDatabase {
  /** Writes it refuses, by their numbers. */
  readonly refused = new Set<number>();
  /** Whether rows are guarded by BridgeSeq and batches by the mark row; taken away by a mutant. */
  isGuarded = true;
  /** Whether batches of earlier owners are refused; taken away by a mutant. */
  isFenced = true;
  /** Whether rows are guarded by the Terms of their writes; taken away by a mutant. */
  isTermed = true;
  /** Whether the mark row is written with the rows; taken away by a mutant. */
  hasMarks = true;
  storeId: string;
  /** Lanes that have not noticed yet that it went back in time. */
  readonly unreported = new Set<Lane>();
  /** Keys written to it before its worker saw that it is another. */
  readonly early = new Set<string>();
  #travels = 0;
  #content = emptyContent();

  constructor(storeId: string) {
    this.storeId = storeId;
  }

  /** Times it was restored or exchanged. */
  get travels(): number {
    return this.#travels;
  }

  /** It was restored or exchanged at least once: what journals gave up by then is lost to it. */
  get hasTravelled(): boolean {
    return this.#travels > 0;
  }

  get effects(): readonly Effect[] {
    return this.#content.effects;
  }

  get rows(): SimRow[] {
    return [...this.#content.rows.values()];
  }

  mark(lane: Lane): StoredMark | null {
    return this.#content.marks.get(lane) ?? null;
  }

  /** Numbers of the writes it has, and Seqs of the removals. */
  has(): { names: Set<number>; deletes: Set<number> } {
    return {
      names: new Set(this.rows.flatMap((row) => row.names)),
      deletes: new Set(this.#content.deletes),
    };
  }

  row(table: TableName, ...key: Scalar[]): SimRow | null {
    return this.#content.rows.get([table, ...key].join(' ')) ?? null;
  }

  backup(): Backup {
    return structuredClone({ content: this.#content, storeId: this.storeId });
  }

  restore(backup: Backup): void {
    const { content, storeId } = structuredClone(backup);
    this.#content = content;
    this.storeId = storeId;
    this.#travelled();
  }

  /** Another, empty one takes its place. */
  exchange(storeId: string): void {
    this.#content = emptyContent();
    this.storeId = storeId;
    this.#travelled();
  }

  #travelled(): void {
    this.#travels += 1;
    this.unreported.add('queue').add('manifest');
  }

  /**
   * The worker begins anew here, and what took effect so far has no order with what comes. Of keys
   * written early, rows carry a newer BridgeSeq than what is sent again, so older fields of theirs
   * stay out: a limit of databases without a mark row.
   */
  orderAnew(): void {
    for (const { key } of this.#content.effects) this.early.add(key);
    this.#content.effects = [];
  }

  fingerprint(): string {
    const { rows, marks, deletes } = this.#content;
    return JSON.stringify([
      [...rows],
      [...marks].map(([lane, mark]) => [lane, mark.Epoch, mark.Seq]),
      deletes,
    ]);
  }

  /** As DataBeaconBatch.Apply. */
  apply(settings: ApplySettings): ApplyOutputs {
    const {
      Mutations,
      Epoch,
      Lane: lane,
      ThroughSeq,
      IsBelowMark = false,
      AfterSeq = 0,
    } = settings;
    const stored = this.mark(lane);
    this.#insistOnOwner(settings, stored);
    const { AfterEpoch, Term = 0, Owner = '' } = settings;
    // Each owner that was the latest one stays in the row.
    const own =
      Term > 0
        ? { Term, Owner }
        : stored?.Term
          ? { Term: stored.Term, Owner: stored.Owner ?? '' }
          : {};
    const isLate =
      AfterEpoch !== undefined && AfterEpoch !== (stored?.Epoch ?? '') && stored?.Epoch !== Epoch;
    const isBehind =
      stored?.Epoch === (AfterEpoch ?? Epoch)
        ? stored.Seq < AfterSeq
        : AfterEpoch === undefined && AfterSeq > 0;
    if (this.isGuarded && (isLate || isBehind))
      throw new TidemarkError(
        'UNAVAILABLE',
        'the database went back in time, or the batch is late',
      );
    const isMoving = !IsBelowMark && (stored?.Epoch !== Epoch || ThroughSeq > stored.Seq);
    const isKnown = AfterSeq === (stored?.Seq ?? 0) && (AfterEpoch ?? '') === (stored?.Epoch ?? '');
    const isEarned = isKnown || Mutations.some(({ Seq }) => Seq >= ThroughSeq);
    if (this.isGuarded && isMoving && !isEarned)
      throw new TidemarkError('UNAVAILABLE', 'the batch moves the mark and does not know it');
    const before = structuredClone(this.#content);
    const isOwn = stored?.Epoch === Epoch && (!this.isTermed || (stored.Term ?? 0) === Term);
    const skip = this.isGuarded && !IsBelowMark && isOwn ? (stored?.Seq ?? -1) : -1;
    const Results = Mutations.map((one): MutationResult =>
      one.Seq <= skip && (one.Term ?? 0) >= Term
        ? { Outcome: 'already-present' }
        : this.#mutate(one),
    );
    const IsCommitted = IsBelowMark || Results.every((one) => one.Outcome !== 'rejected');
    if (!IsCommitted) this.#content = before;
    else if (IsBelowMark) {
      if (this.hasMarks && stored)
        this.#content.marks.set(lane, {
          ...stored,
          ...own,
          Epoch: stored.Epoch === AfterEpoch ? Epoch : stored.Epoch,
        });
    } else {
      // What one transaction shows at once has no order within.
      const { effects } = this.#content;
      effects.push(...effects.splice(before.effects.length).toSorted((a, b) => a.name - b.name));
      if (ThroughSeq > skip && this.hasMarks)
        this.#content.marks.set(lane, { Epoch, Seq: ThroughSeq, UpdatedAt: '', ...own });
      else if (stored && this.hasMarks) this.#content.marks.set(lane, { ...stored, ...own });
    }
    return { Results, IsCommitted, Mark: this.mark(lane) };
  }

  /** A smaller Term, or an equal one of another store, is that of an owner of before (I11). */
  #insistOnOwner({ Term = 0, Owner = '' }: ApplySettings, stored: StoredMark | null): void {
    const latest = stored?.Term ?? 0;
    if (!this.isFenced || Term > latest) return;
    if (Term < latest || (Term > 0 && Owner !== stored?.Owner))
      throw new TidemarkError('STALE_OWNER', `the hub belongs to Term ${latest}`);
  }

  #mutate(mutation: RowMutation): MutationResult {
    const { Op, Seq } = mutation;
    const table = mutation.Table as TableName;
    const id = [table, ...tableOf(table).key.map((name) => mutation.Key[name])].join(' ');
    const row = this.#content.rows.get(id);
    const { Term = 0 } = mutation;
    const rowTerm = Number(row?.columns['BridgeTerm'] ?? 0);
    if (row && this.isGuarded && this.isTermed && Op !== 'insert' && rowTerm > Term)
      return { Outcome: 'superseded' };
    const isLater = this.isTermed && Term > rowTerm;
    const isBehind = !isLater && Number(row?.columns['BridgeSeq']) >= Seq;
    if (row && this.isGuarded && (Op === 'insert' || isBehind))
      return { Outcome: 'already-present' };
    const guard = Term > 0 ? { BridgeSeq: Seq, BridgeTerm: Term } : { BridgeSeq: Seq };
    if (Op === 'delete') {
      if (!row) return { Outcome: 'not-found' };
      Object.assign(row.columns, { Deleted: 1, ...guard });
      this.#content.deletes.push(Seq);
      return { Outcome: 'applied' };
    }
    const given: Columns = { ...mutation.Set };
    for (const [name, members] of Object.entries(mutation.Merge ?? {})) {
      given[name] = JSON.stringify({ ...objectOf(row?.columns[name]), ...members });
    }
    for (const [name, value] of Object.entries(mutation.Fill ?? {})) {
      if (!(name in mutation.Set) && isEmpty(row?.columns[name])) given[name] = value;
    }
    return this.#write(id, table, { ...mutation.Key, ...given, Deleted: 0, ...guard })
      ? { Outcome: 'applied' }
      : { Outcome: 'rejected', Reason: 'refused by the script' };
  }

  /** False when it refuses. */
  #write(id: string, table: TableName, given: Columns): boolean {
    const row = this.#content.rows.get(id);
    const fresh = namesIn(given)
      .filter((name) => !row?.names.includes(name))
      .toSorted((a, b) => a - b);
    if (fresh.some((name) => this.refused.has(name))) return false;
    const columns = { ...row?.columns, ...given };
    const own = row?.id ?? this.#content.nextId++;
    this.#content.rows.set(id, {
      id: own,
      table,
      columns: { ...columns, [tableOf(table).idColumn]: own },
      names: [...(row?.names ?? []), ...fresh],
    });
    const key = String(columns['WorkItemHash'] ?? columns['Hash']);
    for (const name of fresh) this.#content.effects.push({ key, name, row: id });
    return true;
  }

  /** Rows of a table with these values, as text. */
  select(table: TableName, terms: readonly (readonly [string, string])[]): Columns[] {
    return this.rows
      .filter(
        (row) =>
          row.table === table &&
          terms.every(([name, value]) => String(row.columns[name] ?? '') === value),
      )
      .map((row) => row.columns);
  }

  /** As MeadowProxy's POST: the HTTP status. */
  insert(table: TableName, columns: Columns): number {
    const id = [table, ...tableOf(table).key.map((name) => columns[name])].join(' ');
    if (this.#content.rows.has(id)) return 409;
    return this.#write(id, table, columns) ? 200 : 400;
  }

  /** As MeadowProxy's PUT: the HTTP status. */
  update(table: TableName, columns: Columns): number {
    const found = [...this.#content.rows].find(
      ([, row]) => row.table === table && row.id === columns[tableOf(table).idColumn],
    );
    if (!found) return 404;
    if (columns['Deleted'] === 1) this.#content.deletes.push(Number(columns['BridgeSeq']));
    return this.#write(found[0], table, columns) ? 200 : 400;
  }
}
