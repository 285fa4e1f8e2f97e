/** Looks into a data directory without the worker: read-only, never blocking the writer. */
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { isoOf } from '../../runtime/clock.ts';
import { guidText } from '../../worker/state/entry-identity.ts';
import { pendingIn } from './offline.ts';
import { openReadOnly } from '../../worker/state/connection.ts';
import { pathsOf } from '../../worker/state/paths.ts';
import { openForReading, type ReadStore } from '../../worker/state/open/read-store.ts';
import { type Verification, verify } from '../../worker/state/recover/verify.ts';

export type EntryView = {
  Seq: number;
  Lane: Lane;
  Action: string;
  EventGUID: string;
  Key: string;
  AcceptedAt: string;
  HasBody: boolean;
};

export type JournalView = {
  Entries: number;
  Pending: number;
  Bytes: number;
  Head: Record<Lane, number>;
  Accepted: Record<Lane, number>;
  SchemaVersion: number;
  Store: string;
};

function count(store: ReadStore, sql: string): number {
  return Number(store.value(sql));
}

/** The journal's counts from its file. @throws TidemarkError as `openForReading` */
export function inspectJournal(dataDir: string): JournalView {
  const db = openForReading(dataDir);
  try {
    const perLane = (column: 'head' | 'accepted') =>
      Object.fromEntries(
        lanes.map((lane, index) => [
          lane,
          count(db, `select ${column} from lane where lane = ${index}`),
        ]),
      ) as Record<Lane, number>;
    const accepted = perLane('accepted');
    return {
      Entries: accepted.queue + accepted.manifest,
      Pending: db.atOnce(() => pendingIn(db, 0) + pendingIn(db, 1)),
      Bytes: count(db, 'select page_count * page_size from pragma_page_count, pragma_page_size'),
      Head: perLane('head'),
      Accepted: accepted,
      SchemaVersion: db.version,
      Store: String(db.value("select value from meta where name = 'store'")),
    };
  } finally {
    db.close();
  }
}

/** Entries above a Seq, ascending. @throws TidemarkError as `openForReading` */
export function listEntries(dataDir: string, afterSeq: number, limit: number): EntryView[] {
  const db = openForReading(dataDir);
  try {
    const rows = db.all<{
      seq: number;
      lane: number;
      action: string;
      guid: Buffer;
      key: string;
      accepted_ms: number;
      has: number;
    }>(
      'select seq, lane, action, guid, key, accepted_ms, body is not null as has from ' +
        'entry where seq > ? order by seq limit ?',
      afterSeq,
      limit,
    );
    return rows.map((row) => ({
      Seq: row.seq,
      Lane: lanes[row.lane] ?? 'queue',
      Action: row.action,
      EventGUID: guidText(row.guid),
      Key: row.key,
      AcceptedAt: isoOf(row.accepted_ms),
      HasBody: row.has === 1,
    }));
  } finally {
    db.close();
  }
}

/**
 * What is wrong with the journal; see `verify`.
 * @throws TidemarkError as `openForReading`, SqliteError for pages that cannot be asked about at
 * all
 */
export function verifyJournal(dataDir: string, tell?: (check: string) => void): Verification {
  openForReading(dataDir).close();
  const db = openReadOnly(pathsOf(dataDir).db);
  try {
    // One view of it, whatever a worker writes meanwhile.
    db.exec('begin');
    return verify(db, tell);
  } finally {
    db.close();
  }
}
