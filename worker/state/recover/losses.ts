/**
 * Finds out which entries are lost: holes in the Seqs of one start, and Seqs that store.json
 * remembers above the last entry.
 */
import { limits } from '../../../contracts/limits.ts';
import { lanes } from '../../../contracts/subjects.ts';
import type { Connection } from '../connection.ts';
import { versionOf } from '../schema/migrate.ts';
import { type Finding, rangesText, type SeqGap } from '../guard/finding.ts';
import type { PerLane, Remembered } from '../guard/identity-file.ts';

/**
 * Seqs whose entries are missing. Each start gives its Seqs one by one from its first Seq on, so a
 * hole before a later entry of the same start is a loss. A hole between two starts is none, and
 * neither is what was forgotten behind the dedup horizon. Reads the whole index of Seqs.
 * @param starts first Seqs of starts that store.json remembers
 */
export function holesOf(db: Connection, starts: readonly number[] = []): SeqGap[] {
  const gaps = db.prepare<[], { before: number; after: number }>(`select before, seq as after from
    (select seq, lag(seq, 1, 0) over (order by seq) as before from ${seqsOf(db)}) where seq > before + 1`);
  const forgotten = forgottenThrough(db);
  const startOf = db
    .prepare<[number], number | null>('select max(first_seq) from boot where first_seq <= ?')
    .pluck();
  const holes: SeqGap[] = [];
  for (const { before, after } of gaps.all()) {
    const first = Math.max(startOf.get(after) ?? 0, ...starts.filter((start) => start <= after));
    if (first === 0) continue;
    const From = Math.max(first, before + 1, forgotten + 1);
    if (From < after) holes.push({ From, To: after - 1 });
  }
  return holes;
}

/** The table that has all Seqs, for a file of any schema. */
function seqsOf(db: Connection): string {
  return versionOf(db) < 5 ? 'entry' : 'known_entry';
}

/** The Seq up to which accepted writes were forgotten on purpose, by the dedup horizon. */
export function forgottenThrough(db: Connection): number {
  return versionOf(db) < 5 ? 0 : count(db, 'select through_seq from horizon');
}

/** Ranges that were reported as lost before, from table fault. */
export function reportedLosses(db: Connection): SeqGap[] {
  const details = db
    .prepare<[], string>('select detail from fault where detail like \'%"Lost"%\'')
    .pluck()
    .all();
  return details.flatMap((text) => (JSON.parse(text) as { Lost?: SeqGap[] }).Lost ?? []);
}

/** Ranges that lie in none of the reported ones. */
export function unreported(ranges: readonly SeqGap[], reported: readonly SeqGap[]): SeqGap[] {
  return ranges.filter(
    (one) => !reported.some((other) => other.From <= one.From && one.To <= other.To),
  );
}

function count(db: Connection, sql: string, ...values: number[]): number {
  return Number(
    db
      .prepare(sql)
      .pluck()
      .get(...values),
  );
}

/**
 * The losses that a start reports: what is missing after everything that was saved has been merged.
 * @param isDoubtful something was damaged, so look for holes
 */
export function findLosses(
  db: Connection,
  remembered: Remembered | null,
  isDoubtful: boolean,
): Finding[] {
  const storeId =
    db.prepare<[], string>("select value from meta where name = 'store'").pluck().get() ?? '';
  if (remembered && remembered.Store !== storeId) return [anotherStore(db, storeId, remembered)];
  const accepted = (lane: number) => count(db, 'select accepted from lane where lane = ?', lane);
  const before = remembered?.Accepted;
  const missing = before
    ? {
        Queue: Math.max(0, before.Queue - accepted(0)),
        Manifest: Math.max(0, before.Manifest - accepted(1)),
      }
    : { Queue: 0, Manifest: 0 };
  const last = Math.max(
    count(db, `select coalesce(max(seq), 0) from ${seqsOf(db)}`),
    forgottenThrough(db),
  );
  const head = remembered?.Head ? Math.max(remembered.Head.Queue, remembered.Head.Manifest) : 0;
  if (!isDoubtful && head <= last && missing.Queue + missing.Manifest === 0) return [];
  const holes = unreported(holesOf(db, remembered?.Starts), reportedLosses(db));
  const Lost = head > last ? [...holes, { From: last + 1, To: head }] : holes;
  return Lost.length === 0 && missing.Queue + missing.Manifest === 0
    ? []
    : [lostWrites(Lost, missing, remembered)];
}

function lostWrites(ranges: SeqGap[], Missing: PerLane, remembered: Remembered | null): Finding {
  const Writes = Missing.Queue + Missing.Manifest;
  const number =
    Writes > 0
      ? `${Writes} accepted writes (queue ${Missing.Queue}, manifest ${Missing.Manifest}) are lost`
      : 'accepted writes are lost';
  const named = ranges.reduce((sum, { From, To }) => sum + To - From + 1, 0);
  const unnamed = Writes > named ? `; the Seqs of ${Writes - named} of them are not known` : '';
  const upTo = remembered
    ? `; the database had those up to Seq ${remembered.Mark.Queue} (queue) and ` +
      `${remembered.Mark.Manifest} (manifest), known as of ${remembered.WrittenAt}`
    : '';
  return {
    Class: 'lost',
    What: `${number} from the journal: Seq ${rangesText(ranges, limits.findingItemsMax) || 'unknown'}${unnamed}${upTo}`,
    Detail: {
      Lost: ranges,
      Writes: Missing,
      ...(remembered
        ? {
            Store: remembered.Store,
            Head: remembered.Head,
            Mark: remembered.Mark,
            WrittenAt: remembered.WrittenAt,
          }
        : {}),
    },
  };
}

/** The parts of a range that have no entry. */
function absent(db: Connection, { From, To }: SeqGap): SeqGap[] {
  const ranges: SeqGap[] = [];
  let next = From;
  for (const seq of db
    .prepare<[number, number], number>(
      `select seq from ${seqsOf(db)} where seq between ? and ? order by seq`,
    )
    .pluck()
    .iterate(From, To)) {
    if (seq > next) ranges.push({ From: next, To: seq - 1 });
    next = seq + 1;
  }
  return next <= To ? [...ranges, { From: next, To }] : ranges;
}

/** Reports that a new store took the place of the one that was here. */
function anotherStore(db: Connection, storeId: string, remembered: Remembered): Finding {
  const { Store, Head, Mark, Pending, WrittenAt } = remembered;
  const parts = (['Queue', 'Manifest'] as const).map((name, lane) => {
    const back = Head
      ? count(
          db,
          `select count(*) from ${seqsOf(db)} where lane = ? and seq > ? and seq <= ?`,
          lane,
          Mark[name],
          Head[name],
        )
      : 0;
    return {
      name,
      lane,
      Writes: Math.max(0, Pending[name] - back),
      From: Mark[name] + 1,
      To: Head?.[name] ?? null,
    };
  });
  const text = parts
    .filter((part) => part.Writes > 0)
    .map(
      ({ name, Writes, From, To }) =>
        `${Writes} of lane ${name.toLowerCase()} (Seq ${From} to ${To ?? 'its head'})`,
    );
  const lost =
    text.length > 0
      ? `writes above its marks are lost: ${text.join(', ')}`
      : 'nothing was pending in it';
  return {
    Class: 'store-lost',
    What: `store ${Store} was here and is gone; ${storeId} is a new, empty one. As of ${WrittenAt} ${lost}`,
    Detail: {
      Store,
      NewStore: storeId,
      Head,
      Mark,
      Pending,
      WrittenAt,
      Writes: { Queue: parts[0]?.Writes, Manifest: parts[1]?.Writes },
      Lost: parts.flatMap(({ lane, Writes, From, To }) =>
        Writes > 0 && To !== null
          ? absent(db, { From, To }).map((range) => ({ Lane: lanes[lane] ?? 'queue', ...range }))
          : [],
      ),
    },
  };
}
