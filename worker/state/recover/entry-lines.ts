/**
 * Entries as JSON lines: the format of a rescue that saves entry by entry, of `journal export` and
 * of `journal import`.
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
 * An accepted write as a file holds it. Since schema 5 a stripped entry has no action and key
 * either. `crc` is the stored checksum, null for an entry that never had one.
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

/** The columns of an entry, for a file of any schema. */
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
 * One line. For a stripped entry `Settings` is null, `Digest` is there in hex, and `Action` and
 * `Key` may be null.
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

/** @throws SyntaxError when the body is no JSON, TidemarkError when its checksum does not match */
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
 * The row of a line. A write that the worker would refuse from a hub is refused here too.
 * @throws TidemarkError INVALID_MESSAGE saying what is wrong with the line
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

/** The lane of the line's Action, which must be the lane that the line names. */
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

/** Whether the body is not what was written; false when there is no checksum to compare. */
function isDamaged({ action, key, guid, body, crc }: StoredEntry): boolean {
  return body !== null && crc !== null && crc !== crcOf(action ?? '', key ?? '', guid, body);
}

/** Why a row from a damaged or foreign file is not a valid entry; null when it is one. */
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
