/**
 * Moves the rows of `entry_old`, the table of entries from before schema 5, into the tables of
 * today, and drops it when it is empty.
 */
import type { Connection } from '../connection.ts';
import { crcOf } from '../entry-identity.ts';

/** Makes the views of schema 6 again without the dropped table. */
const viewsWithout = `
  drop view entry; drop view known_entry; drop view queue_entry; drop view manifest_entry;
  drop table entry_old;
  create view known_entry as select seq, lane, guid, accepted_ms, digest, given_up from known;
  create view queue_entry as
    select seq, action, guid, key, at, user, accepted_ms, trace, crc, owner, body from queue_body;
  create view manifest_entry as
    select seq, action, guid, key, at, user, accepted_ms, trace, crc, owner, body from manifest_body;
  create view entry as select k.seq, k.lane, coalesce(q.action, m.action) as action, k.guid,
      coalesce(q.key, m.key) as key, coalesce(q.at, m.at) as at, coalesce(q.user, m.user) as user,
      k.accepted_ms, coalesce(q.body, m.body) as body,
      case when q.seq is null and m.seq is null then k.digest end as digest,
      coalesce(q.trace, m.trace) as trace, coalesce(q.crc, m.crc) as crc,
      coalesce(q.owner, m.owner, 0) as owner
    from known k left join queue_body q on q.seq = k.seq left join manifest_body m on m.seq = k.seq;
`;

/** No body has this checksum. It marks a body that was damaged before it had one. */
const noCrc = -1;

type OldRow = {
  seq: number;
  lane: number;
  action: string;
  guid: Buffer;
  key: string;
  body: string | null;
};

/** The lowest Seq that is still in the old table; null when the table is gone or empty. */
export function oldestOldEntry(db: Connection): number | null {
  if (!hasOldEntries(db)) return null;
  return db.prepare<[], number | null>('select min(seq) from entry_old').pluck().get() ?? null;
}

export function hasOldEntries(db: Connection): boolean {
  return db.prepare("select 1 from sqlite_schema where name = 'entry_old'").get() !== undefined;
}

/** Drops the table if it is empty. True when it is gone. */
export function dropOldEntries(db: Connection): boolean {
  return db
    .transaction(() => {
      if (!hasOldEntries(db)) return true;
      if (db.prepare('select 1 from entry_old limit 1').get() !== undefined) return false;
      db.exec(viewsWithout);
      return true;
    })
    .immediate();
}

function statementsOf(db: Connection) {
  const move = (table: string) =>
    db.prepare<[number, number]>(
      `insert into ${table} (seq, action, guid, key, at, user, accepted_ms, trace, crc, digest, body)
        select seq, action, guid, key, at, user, accepted_ms, trace, ?, digest, body from entry_old where seq = ?`,
    );
  return {
    lowest: db.prepare<[number], OldRow>(
      'select seq, lane, action, guid, key, body from entry_old order by seq limit ?',
    ),
    know: db.prepare<[number]>(
      `insert into known (seq, lane, guid, accepted_ms, digest)
        select seq, lane, guid, accepted_ms,
          case when body is null then coalesce(digest, zeroblob(16)) else zeroblob(16) end
          from entry_old where seq = ?`,
    ),
    bodies: [move('queue_body'), move('manifest_body')] as const,
    remove: db.prepare<[number]>('delete from entry_old where seq = ?'),
  };
}

/** Moves rows of the old table, the lowest Seq first. Make one only while that table exists. */
export class OldEntries {
  readonly #db: Connection;
  readonly #sql: ReturnType<typeof statementsOf>;

  constructor(db: Connection) {
    this.#db = db;
    this.#sql = statementsOf(db);
  }

  /**
   * Moves at most `entries` rows and about `bytesMax` of bodies, but at least one row, in one
   * transaction. Returns how many rows it moved, and about how many bytes.
   */
  move(entries: number, bytesMax: number): { moved: number; bytes: number } {
    return this.#db
      .transaction(() => {
        let [moved, bytes] = [0, 0];
        for (const row of this.#sql.lowest.all(entries)) {
          bytes += row.body?.length ?? 0;
          if (moved > 0 && bytes > bytesMax) break;
          this.#moveOne(row);
          moved += 1;
        }
        return { moved, bytes };
      })
      .immediate();
  }

  #moveOne({ seq, lane, action, guid, key, body }: OldRow): void {
    this.#sql.know.run(seq);
    if (body !== null) {
      const crc = isJson(body) ? crcOf(action, key, guid, body) : noCrc;
      this.#sql.bodies[lane === 0 ? 0 : 1].run(crc, seq);
    }
    this.#sql.remove.run(seq);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
