/**
 * Entries as JSON lines: what a rescue writes row by row, what `journal export` gives and `journal
 * import` takes.
 */
import { isWriteAction, laneOf, type WriteAction } from '../../../contracts/actions.ts';
import { decodeEnvelope, defaultRemoteUser, isGuid } from '../../../contracts/envelope.ts';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../../contracts/body/json-value.ts';
import { limits } from '../../../contracts/limits.ts';
import { type Lane, laneIndex, lanes } from '../../../contracts/subjects.ts';
import { isoOf } from '../../../runtime/clock.ts';
import { validTrace } from '../../../runtime/trace.ts';
import type { Connection } from '../connection.ts';
import { guidText } from '../entry-identity.ts';
import { versionOf } from '../schema/migrate.ts';

/** A row of table entry, as it lies in the file. */
export type StoredEntry = {
  seq: number;
  lane: number;
  action: string;
  guid: Buffer;
  key: string;
  at: string | null;
  user: string | null;
  accepted_ms: number;
  body: string | null;
  digest: Buffer | null;
  trace: string | null;
};

/** Its columns in a file of any schema. */
export function entryColumns(schema: number): string {
  return `seq, lane, action, guid, key, at, user, accepted_ms, body, digest, ${schema < 3 ? 'null as trace' : 'trace'}`;
}

/** Every entry of a sound file of any schema. */
export function* allEntries(db: Connection): Generator<StoredEntry> {
  yield* db
    .prepare<[], StoredEntry>(`select ${entryColumns(versionOf(db))} from entry order by seq`)
    .iterate();
}

/**
 * One line. `Settings` is null when the body was given up by retention; then `Digest` is there, in
 * hex.
 */
export type EntryLine = {
  Seq: number;
  Lane: Lane;
  Action: string;
  EventGUID: string;
  Key: string;
  At: string | null;
  RemoteUser: string;
  AcceptedAt: string;
  Settings: JsonObject | null;
  Digest?: string;
  Trace?: string;
};

const digestBytes = 16;

/** @throws SyntaxError when the body is no JSON */
export function lineOfEntry(row: StoredEntry): EntryLine {
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
  if (typeof Action !== 'string' || !isWriteAction(Action))
    throw invalid(`Action: ${JSON.stringify(Action)} writes nothing`);
  const lane = laneOf(Action) as Lane;
  if (line['Lane'] !== lane)
    throw invalid(`Lane: ${Action} belongs to ${lane}, not ${JSON.stringify(line['Lane'])}`);
  if (typeof Seq !== 'number' || !isSeq(Seq))
    throw invalid(`Seq: ${JSON.stringify(Seq)} is not a Seq`);
  if (!isGuid(EventGUID)) throw invalid(`EventGUID: ${JSON.stringify(EventGUID)} is not a UUID`);
  const acceptedMs = typeof AcceptedAt === 'string' ? Date.parse(AcceptedAt) : Number.NaN;
  if (Number.isNaN(acceptedMs))
    throw invalid(`AcceptedAt: ${JSON.stringify(AcceptedAt)} is not a time`);
  if (typeof Key !== 'string') throw invalid(`Key: ${JSON.stringify(Key)} is not a key`);
  const row: StoredEntry = {
    seq: Seq,
    lane: laneIndex(lane),
    action: Action,
    guid: Buffer.from(EventGUID.replaceAll('-', ''), 'hex'),
    key: Key,
    at: typeof At === 'string' ? At : null,
    user: typeof RemoteUser === 'string' && RemoteUser !== defaultRemoteUser ? RemoteUser : null,
    accepted_ms: acceptedMs,
    body: isJsonObject(Settings) ? JSON.stringify(Settings) : null,
    digest: typeof Digest === 'string' ? Buffer.from(Digest, 'hex') : null,
    trace: validTrace(line['Trace']),
  };
  const wrong = wrongWith(row);
  if (wrong !== null) throw invalid(wrong);
  return row;
}

/**
 * What keeps a row read from a damaged or foreign file from being an entry; null when nothing does.
 */
export function wrongWith(row: StoredEntry): string | null {
  const lane = lanes[row.lane];
  if (!lane || !isWriteAction(row.action))
    return `lane ${row.lane} knows no action ${JSON.stringify(row.action)}`;
  if (!isSeq(row.seq)) return `${row.seq} is not a Seq`;
  if (!Buffer.isBuffer(row.guid) || row.guid.length !== digestBytes)
    return 'its EventGUID is damaged';
  if (!Number.isSafeInteger(row.accepted_ms) || typeof row.key !== 'string') return 'it is damaged';
  if (row.body === null)
    return row.digest?.length === digestBytes
      ? null
      : 'it has neither a body nor a digest of 16 bytes';
  return wrongWithBody(row, lane, row.action, row.body);
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
