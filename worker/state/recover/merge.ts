/**
 * Merges the accepted writes of another file into the store: of a rescue, a damaged or older
 * state.db, or an export.
 *
 * Constraints: I3, I4, I5, I10. An entry keeps its Seq unless another entry has it. An entry that a
 * database may not have is parked for it, and never counted as delivered. Ordering: several sources
 * may come in any order, and more than once. Failure: each chunk is one transaction with its
 * counts, so a crash leaves a prefix, and the next run goes on.
 */
import { isDeepStrictEqual } from 'node:util';
import { limits } from '../../../contracts/limits.ts';
import { isJsonObject, type JsonObject } from '../../../contracts/body/json-value.ts';
import { contentDigest, crcOf, guidText } from '../entry-identity.ts';
import type { Connection } from '../connection.ts';
import { validTrace } from '../../../runtime/trace.ts';
import { type StoredEntry, wrongWith } from './entry-lines.ts';
import { MergeMarks } from './merge-marks.ts';
import { MergeOwners } from './merge-owners.ts';
import { mergeTables, type SourceTables } from './merge-tables.ts';

export type MergeSource = {
  tables: SourceTables;
  entries: Iterable<StoredEntry>;
  /** Rows come from a damaged file or from people, so each is checked first. */
  isDoubtful: boolean;
};

export type MergeOptions = {
  nowMs: number;
  /**
   * Replay may have a batch in flight that was read before, so an entry that is not above the
   * lane's head is parked for its databases.
   */
  isReplayRunning: boolean;
  /** Entries of one transaction. */
  stepEntries?: number;
  /** Names the source, so that a merge that restores marks goes on doing so after a crash. */
  from?: string;
};

/**
 * Read = Imported + Known + Rejected. The lists are cut at `limits.findingItemsMax`, the counts are
 * not.
 */
export type Merged = {
  Read: number;
  Imported: number;
  Known: number;
  Rejected: number;
  /** Imported under a new Seq at the end, because another entry has the old one. */
  Renumbered: number;
  /** How often an imported entry was parked for a database. */
  Parked: number;
  Conflicts: number;
  Conflicting: { EventGUID: string; Seq: number; Kept: number }[];
  Reasons: { Seq: number; Reason: string }[];
};

type Known = { seq: number; action: string | null; body: string | null; digest: Buffer | null };

function statementsOf(db: Connection) {
  const insertBody = (table: string) =>
    db.prepare(`insert into ${table} (seq, action, guid, key, at, user, accepted_ms, trace, crc, body, owner)
      values (@seq, @action, @guid, @key, @at, @user, @accepted_ms, @trace, @crc, @body, @owner)`);
  return {
    known: db.prepare<[Buffer], Known>(
      'select seq, action, body, digest from entry where guid = ?',
    ),
    isTaken: db.prepare<[number]>('select 1 from known_entry where seq = ?').pluck(),
    forgottenThrough: db.prepare<[], number>('select through_seq from horizon').pluck(),
    insert: db.prepare(
      'insert into known (seq, lane, guid, accepted_ms, digest) values (@seq, @lane, @guid, @accepted_ms, @digest)',
    ),
    insertBody: [insertBody('queue_body'), insertBody('manifest_body')] as const,
    count: db.prepare(
      'update lane set accepted = accepted + 1, head = max(head, @seq), bare = bare + ' +
        '@stripped, bare_through = max(bare_through, @strippedSeq), ' +
        'looked_anew = looked_anew + 1 where lane = @lane',
    ),
    position: db.prepare<[number], number>('select seq from projection where lane = ?').pluck(),
    restart: db.prepare('update projection set seq = 0 where lane = ?'),
    forgetQueue: db.prepare("delete from projected where tbl <> 'UVManifest'"),
    forgetManifest: db.prepare("delete from projected where tbl = 'UVManifest'"),
  };
}

export function emptyMerge(): Merged {
  return {
    Read: 0,
    Imported: 0,
    Known: 0,
    Rejected: 0,
    Renumbered: 0,
    Parked: 0,
    Conflicts: 0,
    Conflicting: [],
    Reasons: [],
  };
}

class Merge {
  readonly merged = emptyMerge();
  readonly #db: Connection;
  readonly #source: MergeSource;
  readonly #options: MergeOptions;
  readonly #sql: ReturnType<typeof statementsOf>;
  readonly #marks: MergeMarks;
  readonly #owners: MergeOwners;

  constructor(db: Connection, source: MergeSource, options: MergeOptions) {
    this.#db = db;
    this.#source = source;
    this.#options = options;
    this.#sql = statementsOf(db);
    this.#marks = new MergeMarks(db, source, options);
    this.#owners = new MergeOwners(db, source.tables);
  }

  takeTables(): void {
    this.#db
      .transaction(() => {
        mergeTables(this.#db, this.#source.tables);
        this.#marks.begin();
      })
      .immediate();
  }

  /** Takes a chunk of entries over in one transaction. */
  takeChunk(rows: readonly StoredEntry[]): void {
    const before = structuredClone(this.merged);
    try {
      this.#db
        .transaction(() => {
          this.#marks.look(this.#options.isReplayRunning);
          for (const row of rows) this.#take(row);
          this.merged.Parked += this.#marks.write();
        })
        .immediate();
    } catch (error) {
      Object.assign(this.merged, before);
      throw error;
    }
  }

  finish(): void {
    this.#db.transaction(() => this.#marks.finish()).immediate();
  }

  #take(row: StoredEntry): void {
    this.merged.Read += 1;
    const wrong = this.#source.isDoubtful ? wrongWith(row) : null;
    if (wrong !== null) return this.#reject(row.seq, wrong);
    const known = this.#sql.known.get(row.guid);
    if (known) return this.#meet(known, row);
    if (this.#isForgotten(row)) {
      this.merged.Known += 1;
      return;
    }
    const isTaken = this.#sql.isTaken.get(row.seq) !== undefined;
    const seq = this.#insert(row, isTaken);
    if (isTaken) this.merged.Renumbered += 1;
    this.merged.Imported += 1;
    const isStripped = row.body === null;
    this.#sql.count.run({
      lane: row.lane,
      seq,
      stripped: Number(isStripped),
      strippedSeq: isStripped ? seq : 0,
    });
    this.#marks.place(row, seq);
    if (!isStripped && seq <= (this.#sql.position.get(row.lane) ?? 0))
      this.#restartProjection(row.lane);
  }

  /** A stripped entry behind the dedup horizon was here before and was forgotten on purpose. */
  #isForgotten({ seq, body }: StoredEntry): boolean {
    return body === null && seq <= (this.#sql.forgottenThrough.get() ?? 0);
  }

  #insert(row: StoredEntry, isTaken: boolean): number {
    const { lane, guid, action, key, body } = row;
    const { lastInsertRowid } = this.#sql.insert.run({
      // With null, SQLite gives the next Seq.
      seq: isTaken ? null : row.seq,
      lane,
      guid,
      accepted_ms: row.accepted_ms,
      digest: (body === null ? row.digest : null) ?? noDigest,
    });
    const seq = Number(lastInsertRowid);
    if (body !== null)
      this.#sql.insertBody[lane === 0 ? 0 : 1].run({
        ...row,
        seq,
        trace: validTrace(row.trace),
        // The checksum stays as it was stored, so that a body damaged there counts as damaged here.
        crc: row.crc ?? crcOf(action ?? '', key ?? '', guid, body),
        owner: this.#owners.idOf(row),
      });
    return seq;
  }

  #reject(seq: number, reason: string): void {
    this.merged.Rejected += 1;
    if (this.merged.Reasons.length < limits.findingItemsMax)
      this.merged.Reasons.push({ Seq: seq, Reason: reason });
  }

  /**
   * The entry that is here stays (I3). The same write again changes nothing; another write under
   * its GUID is reported as a conflict.
   */
  #meet(known: Known, row: StoredEntry): void {
    this.merged.Known += 1;
    if (isSameContent(known, row)) return;
    this.merged.Conflicts += 1;
    if (this.merged.Conflicting.length < limits.findingItemsMax) {
      this.merged.Conflicting.push({
        EventGUID: guidText(row.guid),
        Seq: row.seq,
        Kept: known.seq,
      });
    }
  }

  /**
   * Call it when an entry was added below the projection's position, so that its rows lack that
   * entry. The projection starts again from the entries that have a body.
   */
  #restartProjection(lane: number): void {
    (lane === 0 ? this.#sql.forgetQueue : this.#sql.forgetManifest).run();
    this.#sql.restart.run(lane);
  }
}

/** A stripped entry may have no action: its digest covers the action too. */
function isSameContent(known: Known, row: StoredEntry): boolean {
  if (known.action !== null && row.action !== null && known.action !== row.action) return false;
  if (known.body !== null && known.body === row.body) return true;
  if (known.body !== null && row.body !== null)
    return isDeepStrictEqual(JSON.parse(known.body), JSON.parse(row.body));
  const ours = digestOfEntry(known);
  const theirs = digestOfEntry(row);
  return ours !== null && theirs !== null && ours.equals(theirs);
}

/** All zeros: the digest of an entry whose digest was never taken. */
const noDigest = Buffer.alloc(16);

function digestOfEntry(row: {
  action: string | null;
  body: string | null;
  digest: Buffer | null;
}): Buffer | null {
  if (row.body === null) return row.digest;
  const settings = JSON.parse(row.body) as JsonObject;
  return isJsonObject(settings) ? contentDigest(row.action ?? '', settings) : null;
}

/** Merges in steps of one bounded transaction each; yields what was done so far between them. */
export function* mergeSteps(
  db: Connection,
  source: MergeSource,
  options: MergeOptions,
): Generator<Merged, Merged> {
  const merge = new Merge(db, source, options);
  merge.takeTables();
  let chunk: StoredEntry[] = [];
  for (const row of source.entries) {
    chunk.push(row);
    if (chunk.length < (options.stepEntries ?? limits.mergeStepEntries)) continue;
    merge.takeChunk(chunk);
    chunk = [];
    yield merge.merged;
  }
  if (chunk.length > 0) merge.takeChunk(chunk);
  merge.finish();
  return merge.merged;
}

/** Takes all steps at once. */
export function mergeAll(db: Connection, source: MergeSource, options: MergeOptions): Merged {
  const steps = mergeSteps(db, source, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
