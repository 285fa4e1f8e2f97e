/**
 * Entries as JSON lines: what a rescue writes row by row, what `journal export` gives and `journal
 * import` takes.
 */
import { isWriteAction, laneOf, type WriteAction } from '../../../contracts/actions.ts';
import { decodeEnvelope, defaultRemoteUser, isGuid } from '../../../contracts/envelope.ts';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';
import { type Lane, laneIndex, lanes } from '../../../contracts/subjects.ts';
import { isoOf } from '../../../runtime/clock.ts';
import { validTrace } from '../../../runtime/trace.ts';
import type { Connection } from '../connection.ts';
import { crcOf, guidText } from '../entry-identity.ts';
import { versionOf } from '../schema/migrate.ts';

/**
 * An accepted write as it lies in a file. Without its body it has no action and key either where
 * bodies lie apart; `crc` is what it was stored with, null where it never had one.
 */
export type StoredEntry = {
  seq: number;
  lane: number;
  action: string | null;
  guid: Buffer;
  key: string | null;
  at: string | null;
  user: string | null;
  accepted_ms: number;
  body: string | null;
  digest: Buffer | null;
  trace: string | null;
  crc: number | null;
  /**
   * The random id of the store that accepted it, '' of before there were Terms; null when the file
   * does not tell.
   */
  owner: string | null;
  /** The Term of that owner; null when it had none yet. */
  term: number | null;
  /** How its file numbers the owner, of one that was found in raw pages. */
  ownerId?: number;
};

/** Its columns in a file of any schema. */
export function entryColumns(schema: number): string {
  const trace = schema < 3 ? 'null as trace' : 'trace';
  const crc = schema < 5 ? 'null as crc' : 'crc';
  const owner =
    schema < 6
      ? "'' as owner, 0 as term"
      : '(select o.owner from owner o where o.id = entry.owner) as owner, ' +
        '(select o.term from owner o where o.id = entry.owner) as term';
  return `seq, lane, action, guid, key, at, user, accepted_ms, body, digest, ${trace}, ${crc}, ${owner}`;
}

/** Every entry of a sound file of any schema. */
export function* allEntries(db: Connection): Generator<StoredEntry> {
  yield* db
    .prepare<[], StoredEntry>(`select ${entryColumns(versionOf(db))} from entry order by seq`)
    .iterate();
}

/**
 * One line. `Settings` is null when the body was given up by retention; then `Digest` is there, in
 * hex, and `Action` and `Key` may be null.
 */
export type EntryLine = {
  Seq: number;
  Lane: Lane;
  Action: string | null;
  EventGUID: string;
  Key: string | null;
  At: string | null;
  RemoteUser: string;
  AcceptedAt: string;
  Settings: JsonObject | null;
  Digest?: string;
  Trace?: string;
  /** The Term it was accepted under, and the store that accepted it. */
  Term?: number;
  Owner?: string;
};

const digestBytes = 16;

/** @throws SyntaxError when the body is no JSON, TidemarkError when it is not what was written */
export function lineOfEntry(row: StoredEntry): EntryLine {
  if (isDamaged(row)) throw new TidemarkError('STORAGE_FAILED', `Seq ${row.seq} ${damagedText}`);
  const hex = row.guid.toString('hex');
  return {
    Seq: row.seq,
    Lane: lanes[row.lane] ?? 'queue',
    Action: row.action,
    EventGUID: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
    Key: row.key,
    At: row.at,
    RemoteUser: row.user ?? defaultRemoteUser,
    AcceptedAt: isoOf(row.accepted_ms),
    Settings: row.body === null ? null : (JSON.parse(row.body) as JsonObject),
    ...(row.digest ? { Digest: row.digest.toString('hex') } : {}),
    ...(row.trace ? { Trace: row.trace } : {}),
    ...(row.term ? { Term: row.term } : {}),
    ...(row.owner ? { Owner: row.owner } : {}),
  };
}

/**
 * The row a line stands for. What the worker would not accept from a hub is not taken from a file
 * either.
 * @throws TidemarkError INVALID_MESSAGE saying what is wrong with it
 */
export function entryOfLine(line: unknown): StoredEntry {
  if (!isJsonObject(line)) throw invalid('the line is not an object');
  const { Seq, Action, EventGUID, Key, At, RemoteUser, AcceptedAt, Settings, Digest } = line;
  const isStripped = !isJsonObject(Settings);
  const lane = isStripped && Action === null ? laneNamed(line['Lane']) : laneOfLine(line);
  if (typeof Seq !== 'number' || !isSeq(Seq))
    throw invalid(`Seq: ${JSON.stringify(Seq)} is not a Seq`);
  if (!isGuid(EventGUID)) throw invalid(`EventGUID: ${JSON.stringify(EventGUID)} is not a UUID`);
  const acceptedMs = typeof AcceptedAt === 'string' ? Date.parse(AcceptedAt) : Number.NaN;
  if (Number.isNaN(acceptedMs))
    throw invalid(`AcceptedAt: ${JSON.stringify(AcceptedAt)} is not a time`);
  if (typeof Key !== 'string' && !(isStripped && Key === null))
    throw invalid(`Key: ${JSON.stringify(Key)} is not a key`);
  const row: StoredEntry = {
    seq: Seq,
    lane: laneIndex(lane),
    action: typeof Action === 'string' ? Action : null,
    guid: Buffer.from(EventGUID.replaceAll('-', ''), 'hex'),
    key: Key,
    at: typeof At === 'string' ? At : null,
    user: typeof RemoteUser === 'string' && RemoteUser !== defaultRemoteUser ? RemoteUser : null,
    accepted_ms: acceptedMs,
    body: isStripped ? null : JSON.stringify(Settings),
    digest: typeof Digest === 'string' ? Buffer.from(Digest, 'hex') : null,
    trace: validTrace(line['Trace']),
    crc: null,
    ...ownerOfLine(line),
  };
  const wrong = wrongWith(row);
  if (wrong !== null) throw invalid(wrong);
  return row;
}

/** Of a line without them, from before there were Terms, Term 0. */
function ownerOfLine({ Owner = '', Term }: JsonObject): Pick<StoredEntry, 'owner' | 'term'> {
  if (typeof Owner !== 'string' || Owner.length > 36)
    throw invalid(`Owner: ${JSON.stringify(Owner)} is not the id of a store`);
  if (Term === undefined) return { owner: Owner, term: Owner === '' ? 0 : null };
  if (typeof Term !== 'number' || !Number.isSafeInteger(Term) || Term < 0 || Owner === '')
    throw invalid(`Term: ${JSON.stringify(Term)} is not the Term of a store`);
  return { owner: Owner, term: Term };
}

/** The lane its Action belongs to, which must be the one it names. */
function laneOfLine({ Action, Lane: named }: JsonObject): Lane {
  if (typeof Action !== 'string' || !isWriteAction(Action))
    throw invalid(`Action: ${JSON.stringify(Action)} writes nothing`);
  const lane = laneOf(Action) as Lane;
  if (named !== lane)
    throw invalid(`Lane: ${Action} belongs to ${lane}, not ${JSON.stringify(named)}`);
  return lane;
}

function laneNamed(named: JsonValue | undefined): Lane {
  const lane = lanes.find((one) => one === named);
  if (!lane) throw invalid(`Lane: ${JSON.stringify(named)} is none of ${lanes.join(', ')}`);
  return lane;
}

const damagedText = 'is not what was written: its checksum does not match';

/** Whether the disk gave back something else than was stored; false where nothing tells. */
function isDamaged({ action, key, guid, body, crc }: StoredEntry): boolean {
  return body !== null && crc !== null && crc !== crcOf(action ?? '', key ?? '', guid, body);
}

/**
 * What keeps a row read from a damaged or foreign file from being an entry; null when nothing does.
 */
export function wrongWith(row: StoredEntry): string | null {
  const lane = lanes[row.lane];
  const { action } = row;
  const isNamed = action !== null && isWriteAction(action);
  if (!lane || !(isNamed || (action === null && row.body === null)))
    return `lane ${row.lane} knows no action ${JSON.stringify(action)}`;
  if (!isSeq(row.seq)) return `${row.seq} is not a Seq`;
  if (!Buffer.isBuffer(row.guid) || row.guid.length !== digestBytes)
    return 'its EventGUID is damaged';
  if (!Number.isSafeInteger(row.accepted_ms)) return 'it is damaged';
  if (row.body === null || !isNamed)
    return row.digest?.length === digestBytes
      ? null
      : 'it has neither a body nor a digest of 16 bytes';
  if (typeof row.key !== 'string') return 'it is damaged';
  if (isDamaged(row)) return `it ${damagedText}`;
  return wrongWithBody(row, lane, action, row.body);
}

function wrongWithBody(
  row: StoredEntry,
  lane: Lane,
  action: WriteAction,
  body: string,
): string | null {
  try {
    const envelope = decodeEnvelope(
      {
        EventGUID: guidText(row.guid),
        Settings: JSON.parse(body) as unknown,
        At: row.at,
        RemoteUser: row.user,
      },
      lane,
      action,
    );
    if (envelope.kind === 'write' && envelope.key === row.key) return null;
    return `Key: ${JSON.stringify(row.key)} is not the key of its Settings`;
  } catch (error) {
    return messageOf(error);
  }
}

function isSeq(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && value <= limits.seqMax;
}

function invalid(why: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', why);
}
