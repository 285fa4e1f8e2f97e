/**
 * Where answered writes ended up: in the database, in the journal, in neither; and whether a loss
 * was named to the Seq.
 */
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { foreignGuids } from './faults.ts';
import { hubId, type Rig } from './rig.ts';
import type { AnsweredWrite } from './writers.ts';

export type Ledger = {
  answered: number;
  /** Answered, and neither in the database nor in the journal. */
  lost: AnsweredWrite[];
  /** Of those, in no range that a finding names. */
  unnamed: AnsweredWrite[];
  /** Seqs in ranges that findings name. */
  namedSeqs: number;
  /** Of the answered ones, named as lost although the journal has them. */
  namedButThere: number;
  /** Rows of one write that are there more than once, or two Seqs for one EventGUID. */
  twice: number;
  /** Entries of another store that came into ours. */
  foreign: number;
};

type Range = { From: number; To: number; Lane?: string };

/** Looks at a rig whose workers have stopped. */
export function ledgerOf(rig: Rig): Ledger {
  const backend = new Database(rig.at('backend.sqlite'), { readonly: true });
  const journal = existsSync(rig.db) ? new Database(rig.db, { readonly: true }) : null;
  try {
    const { answered } = rig.writers;
    const ranges = journal ? namedRanges(journal) : [];
    // Without an end a range says "up to wherever it was": what came back of it contradicts
    // nothing.
    const bounded = ranges.filter(({ To }) => To !== Infinity);
    const isNamed = ({ seq, table }: AnsweredWrite, within: readonly Range[] = ranges) =>
      within.some(
        ({ From, To, Lane = laneOf(table) }) => From <= seq && seq <= To && Lane === laneOf(table),
      );
    const lost = answered.filter((one) => !isInBackend(backend, one) && !isInJournal(journal, one));
    return {
      answered: answered.length,
      lost,
      unnamed: lost.filter((one) => !isNamed(one)),
      namedSeqs: ranges.reduce((sum, { From, To }) => sum + To - From + 1, 0),
      namedButThere: answered.filter((one) => isNamed(one, bounded) && isInJournal(journal, one))
        .length,
      twice: doubles(backend) + sharedSeqs(answered),
      foreign: foreignGuids.filter((guid) => isForeignThere(backend, journal, guid)).length,
    };
  } finally {
    backend.close();
    journal?.close();
  }
}

function laneOf(table: AnsweredWrite['table']): string {
  return table === 'UVManifest' ? 'manifest' : 'queue';
}

function isInBackend(db: Database.Database, { table, column, value }: AnsweredWrite): boolean {
  if (!hasTable(db, table)) return false;
  return (
    db.prepare(`select 1 from "${table}" where HubID = ? and "${column}" = ?`).get(hubId, value) !==
    undefined
  );
}

function hasTable(db: Database.Database, table: string): boolean {
  return db.prepare('select 1 from sqlite_schema where name = ?').get(table) !== undefined;
}

function isInJournal(db: Database.Database | null, { guid }: AnsweredWrite): boolean {
  if (!db) return false;
  return (
    db
      .prepare('select 1 from entry where guid = ?')
      .get(Buffer.from(guid.replaceAll('-', ''), 'hex')) !== undefined
  );
}

type Detail = {
  Lost?: Range[];
  Head?: unknown;
  Mark?: { Queue: number; Manifest: number };
  Writes?: { Queue: number; Manifest: number };
};

/**
 * Ranges of Seqs that any finding on record says are lost. Where the first release left no head,
 * what is above the mark is named without an end.
 */
function namedRanges(journal: Database.Database): Range[] {
  const rows = journal
    .prepare<[], { class: string; detail: string | null }>('select class, detail from fault')
    .all();
  return rows.flatMap(({ class: name, detail }) => {
    const { Lost = [], Head, Mark, Writes } = JSON.parse(detail ?? '{}') as Detail;
    if (name !== 'store-lost' || Head !== null || !Mark || !Writes) return Lost;
    const open = (lane: 'Queue' | 'Manifest') =>
      Writes[lane] > 0 ? [{ Lane: lane.toLowerCase(), From: Mark[lane] + 1, To: Infinity }] : [];
    return [...Lost, ...open('Queue'), ...open('Manifest')];
  });
}

function doubles(db: Database.Database): number {
  const keys = {
    UVQueueWorkItem: 'WorkItemHash',
    UVQueueWorkItemEvent: 'EventGUID',
    UVManifest: 'Hash',
  };
  return Object.entries(keys).reduce((sum, [table, key]) => {
    if (!hasTable(db, table)) return sum;
    return (
      sum +
      Number(
        db
          .prepare(`select count(*) - count(distinct "${key}") from "${table}" where HubID = ?`)
          .pluck()
          .get(hubId),
      )
    );
  }, 0);
}

function sharedSeqs(answered: readonly AnsweredWrite[]): number {
  return answered.length - new Set(answered.map(({ seq }) => seq)).size;
}

function isForeignThere(
  backend: Database.Database,
  journal: Database.Database | null,
  guid: string,
): boolean {
  const write: AnsweredWrite = {
    guid,
    seq: 0,
    table: 'UVQueueWorkItem',
    column: 'WorkItemHash',
    value: `foreign-${guid}`,
  };
  return isInBackend(backend, write) || isInJournal(journal, write);
}
