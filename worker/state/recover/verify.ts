/**
 * Checks a journal file beyond what SQLite can check: counts against rows, marks against heads,
 * table held against entries, and holes in the Seqs. Read-only.
 */
import { lanes } from '../../../contracts/subjects.ts';
import type { Connection } from '../connection.ts';
import { crcOf } from '../entry-identity.ts';
import { rangesText, type SeqGap } from '../guard/finding.ts';
import { holesOf, reportedLosses, unreported } from './losses.ts';
import { versionOf } from '../schema/migrate.ts';

const shownMax = 20;

/** `Problems` need an operator; `Losses` are ranges that were reported as lost before. */
export type Verification = { Problems: string[]; Losses: SeqGap[] };

type Facts = Record<string, string | number | null>;

type Rule = { sql: string; say: (row: Facts) => string };

/** The parts of the rules' SQL that depend on the schema of the file. */
type Shape = { lanes: string; dropped: string; superseded: string; counter: string };

const oldShape: Shape = {
  lanes: '(select *, 0 as gone, 0 as through from lane)',
  dropped: '0',
  superseded: '0',
  counter: 'entry',
};

const shape: Shape = {
  lanes: '(select *, forgotten as gone, (select through_seq from horizon) as through from lane)',
  dropped: 'm.dropped',
  superseded: 'm.superseded',
  counter: 'known',
};

const rulesOf = ({ lanes: counts, dropped, superseded, counter }: Shape): Rule[] => [
  {
    sql:
      'select l.lane, l.accepted, l.gone, l.head, l.bare, ' +
      '(select count(*) from entry e where e.lane = l.lane) as entries, ' +
      '(select coalesce(max(seq), 0) from entry e where e.lane = l.lane) as last, ' +
      '(select count(*) from entry e where e.lane = l.lane and body is null) as without ' +
      `from ${counts} l where accepted - gone <> entries or (head <> last and head > through) ` +
      'or bare - gone <> without',
    say: (row) =>
      `lane ${nameOf(row)} counts ${Number(row['accepted']) - Number(row['gone'])} entries up ` +
      `to Seq ${row['head']}, ${Number(row['bare']) - Number(row['gone'])} without body; there ` +
      `are ${row['entries']} up to ${row['last']}, ${row['without']} without`,
  },
  {
    sql: 'select hex(guid) as guid, count(*) as n from entry group by guid having n > 1',
    say: (row) => `EventGUID ${row['guid']} has ${row['n']} entries`,
  },
  {
    sql:
      'select count(*) as n, min(seq) as seq from entry where body is null and (digest is ' +
      'null or length(digest) <> 16 or digest = zeroblob(16)) having n > 0',
    say: (row) =>
      `${row['n']} entries have neither a body nor a digest, the first is Seq ${row['seq']}`,
  },
  {
    sql: 'select count(*) as n, min(seq) as seq from entry where length(guid) <> 16 having n > 0',
    say: (row) =>
      `${row['n']} entries have an EventGUID that is none, the first is Seq ${row['seq']}`,
  },
  {
    sql:
      'select count(*) as n, min(seq) as seq from entry where body is not null and not ' +
      'json_valid(body) having n > 0',
    say: (row) => `${row['n']} entries have a body that is no JSON, the first is Seq ${row['seq']}`,
  },
  {
    sql:
      'select d.beacon, d.connection, m.lane, m.seq, l.head from mark m join database d ' +
      'on d.id = m.database join lane l on l.lane = m.lane where m.seq > l.head',
    say: (row) =>
      `the mark of ${row['beacon']}/${row['connection']}, lane ${nameOf(row)}, is at Seq ` +
      `${row['seq']}, above the head ${row['head']}`,
  },
  {
    sql:
      'select h.seq, h.state, h.lane from held h left join entry e on e.seq = h.seq where ' +
      'e.seq is null or e.lane <> h.lane or e.key <> h.key',
    say: (row) =>
      `Seq ${row['seq']} is held (${row['state']}) without its entry in lane ${nameOf(row)}`,
  },
  {
    sql: `select d.beacon, d.connection, m.lane, l.accepted - m.applied - m.present - m.skipped
      - ${dropped} - ${superseded}
      - (select count(*) from entry e where e.lane = m.lane and e.seq > m.seq and e.body is not null)
      - (select count(*) from held h where h.database = m.database and h.lane = m.lane and h.seq <= m.seq) as difference
      from mark m join database d on d.id = m.database join lane l on l.lane = m.lane where difference <> 0`,
    say: (row) =>
      `the balance of ${row['beacon']}/${row['connection']}, lane ${nameOf(row)}, differs by ${row['difference']}`,
  },
  {
    sql:
      `select (select seq from sqlite_sequence where name = '${counter}') as given, max(seq) ` +
      'as last from entry having given < last',
    say: (row) => `the next Seq would be below ${row['last']}`,
  },
];

const orphans: Rule = {
  sql: `select count(*) as n, min(seq) as seq from (select seq from queue_body union all
    select seq from manifest_body) where seq not in (select seq from known) having n > 0`,
  say: (row) => `${row['n']} bodies belong to no entry, the first is Seq ${row['seq']}`,
};

/** Yields a problem when there are bodies whose checksums do not match. */
function* damagedBodies(db: Connection): Generator<string> {
  let [count, first] = [0, 0];
  const rows = db.prepare<[], BodyRow>(
    `select seq, action, key, guid, body, crc from queue_body union all
      select seq, action, key, guid, body, crc from manifest_body`,
  );
  for (const { seq, action, key, guid, body, crc } of rows.iterate()) {
    if (crc === crcOf(action, key, guid, body)) continue;
    count += 1;
    first = first === 0 ? seq : Math.min(first, seq);
  }
  if (count > 0)
    yield `${count} entries have a body that is not what was written, the first is Seq ${first}`;
}

type BodyRow = {
  seq: number;
  action: string;
  key: string;
  guid: Buffer;
  body: string;
  crc: number | null;
};

function nameOf(row: Facts): string {
  return lanes[Number(row['lane'])] ?? String(row['lane']);
}

/** @param report gets the name of each check before it runs */
export function verify(
  db: Connection,
  report: (check: string) => void = () => undefined,
): Verification {
  report('what SQLite can check');
  const broken = (
    db.prepare('select * from pragma_integrity_check').pluck().all() as string[]
  ).filter((line) => line !== 'ok');
  // On damaged pages our own queries would fail as well, and say nothing more.
  if (broken.length > 0) return { Problems: broken, Losses: [] };
  report('counts, marks and what is held');
  const isApart = versionOf(db) >= 5;
  const apart = versionOf(db) >= 6 ? shape : { ...shape, superseded: '0' };
  const rules = isApart ? [...rulesOf(apart), orphans] : rulesOf(oldShape);
  const Problems = rules.flatMap(({ sql, say }) =>
    db.prepare<[], Facts>(`${sql} limit ${shownMax}`).all().map(say),
  );
  if (isApart) {
    report('checksums');
    Problems.push(...damagedBodies(db));
  }
  // Schema 1 did not record starts, and without them a hole need not be a loss.
  if (versionOf(db) < 2) return { Problems, Losses: [] };
  report('holes');
  const Losses = reportedLosses(db);
  const holes = unreported(holesOf(db), Losses);
  if (holes.length > 0)
    Problems.push(`accepted entries are missing: Seq ${rangesText(holes, shownMax)}`);
  return { Problems, Losses };
}
