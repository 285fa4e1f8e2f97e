/** Records imported incumbent files by source and content, with the rejected items. */
import { isoOf } from '../../runtime/clock.ts';
import type { Connection } from '../state/connection.ts';
import type { Reject } from './incumbent-items.ts';

/** Read = Imported + Rejected. */
export type IncumbentSummary = {
  Source: string;
  Sha256: string;
  Status: 'imported' | 'failed';
  Reason: string | null;
  Read: number;
  Imported: number;
  Rejected: number;
  At: string;
};

type Row = {
  source: string;
  sha256: string;
  status: 'imported' | 'failed';
  reason: string | null;
  read: number;
  imported: number;
  rejected: number;
  at_ms: number;
};

function summaryOf(row: Row): IncumbentSummary {
  return {
    Source: row.source,
    Sha256: row.sha256,
    Status: row.status,
    Reason: row.reason,
    Read: row.read,
    Imported: row.imported,
    Rejected: row.rejected,
    At: isoOf(row.at_ms),
  };
}

export function isImported(db: Connection, source: string, sha256: string): boolean {
  return (
    db
      .prepare(
        "select 1 from legacy_import where source = ? and sha256 = ? and status = 'imported'",
      )
      .get(source, sha256) !== undefined
  );
}

export function lastStatus(db: Connection, source: string): string | undefined {
  return db
    .prepare<[string], string>(
      'select status from legacy_import where source = ? order by at_ms desc, rowid desc limit 1',
    )
    .pluck()
    .get(source);
}

/** Runs in the caller's transaction. */
export function noteImport(
  db: Connection,
  given: {
    source: string;
    sha256: string;
    nowMs: number;
    imported: number;
    rejected: readonly Reject[];
    failure: string | null;
  },
): IncumbentSummary {
  const { source, sha256, nowMs, imported, rejected, failure } = given;
  const row: Row = {
    source,
    sha256,
    status: failure === null ? 'imported' : 'failed',
    reason: failure,
    read: imported + rejected.length,
    imported,
    rejected: rejected.length,
    at_ms: nowMs,
  };
  db.prepare(
    'insert into legacy_import values ' +
      '(@source, @sha256, @status, @reason, @read, @imported, @rejected, @at_ms) ' +
      'on conflict (source, sha256) do update set status = excluded.status, ' +
      'reason = excluded.reason, read = excluded.read, imported = excluded.imported, ' +
      'rejected = excluded.rejected, at_ms = excluded.at_ms',
  ).run(row);
  db.prepare('delete from legacy_reject where source = ? and sha256 = ?').run(source, sha256);
  const keep = db.prepare(
    'insert into legacy_reject (source, sha256, item, reason) values (?, ?, ?, ?)',
  );
  for (const { item, reason } of rejected) keep.run(source, sha256, item, reason);
  return summaryOf(row);
}

/** The last import of each file, for health. */
export function incumbentSummaries(db: Connection): IncumbentSummary[] {
  const rows = db
    .prepare<[], Row>('select * from legacy_import order by at_ms desc, rowid desc')
    .all();
  return rows
    .filter((row, at) => rows.findIndex((one) => one.source === row.source) === at)
    .map(summaryOf);
}
