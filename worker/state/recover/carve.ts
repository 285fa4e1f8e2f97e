/**
 * Finds entries in the raw pages of a database file and its log without SQLite, even when the
 * header, the schema, inner pages or half of the file are damaged. Nobody may have the files open.
 * A result may be an older state of a row, or rubbish that looks like one; the merge checks each.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isWriteAction, laneOf } from '../../../contracts/actions.ts';
import { laneIndex } from '../../../contracts/subjects.ts';
import { validTrace } from '../../../runtime/trace.ts';
import type { StoredEntry } from './entry-lines.ts';

const defaultPageBytes = 4096;
const walHeaderBytes = 32;
const frameHeaderBytes = 24;
const tableLeaf = 0x0d;
/**
 * The column counts of the rows we look for: 6 in table known, 11 in the tables of bodies, and 10
 * or 11 in the table of entries before schema 5, without or with a trace.
 */
const columnCounts = new Set([6, 10, 11, 12]);
const columnsMax = 12;
const digestBytes = 16;

/** Where a page is: in the log if the log has it, else in the database. */
type Place = { fd: number; offset: number };

class Pages {
  readonly pageBytes: number;
  readonly #db: number | null;
  readonly #dbPages: number;
  readonly #inLog = new Map<number, Place>();

  constructor(db: number | null, log: number | null) {
    this.#db = db;
    this.pageBytes = pageBytesOf(db, log);
    this.#dbPages = db === null ? 0 : Math.ceil(fstatSync(db).size / this.pageBytes);
    if (log !== null) this.#indexLog(log);
  }

  /**
   * Notes the last frame of each page, up to the first frame that is left from before the log was
   * reset.
   */
  #indexLog(fd: number): void {
    const { size } = fstatSync(fd);
    const salt = readAt(fd, 16, 8);
    const frameBytes = frameHeaderBytes + this.pageBytes;
    for (let offset = walHeaderBytes; offset + frameBytes <= size; offset += frameBytes) {
      const header = readAt(fd, offset, frameHeaderBytes);
      if (!header.subarray(8, 16).equals(salt)) break;
      this.#inLog.set(header.readUInt32BE(0), { fd, offset: offset + frameHeaderBytes });
    }
  }

  /** Bytes of all pages: no record can be larger. */
  get bytesMax(): number {
    return (this.#dbPages + this.#inLog.size) * this.pageBytes;
  }

  *numbers(): Generator<number> {
    for (let page = 2; page <= this.#dbPages; page++) yield page;
    for (const page of this.#inLog.keys()) if (page > this.#dbPages) yield page;
  }

  read(page: number): Buffer | null {
    const inLog = this.#inLog.get(page);
    if (inLog) return readAt(inLog.fd, inLog.offset, this.pageBytes);
    if (this.#db === null || page < 1 || page > this.#dbPages) return null;
    return readAt(this.#db, (page - 1) * this.pageBytes, this.pageBytes);
  }
}

function readAt(fd: number, offset: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  readSync(fd, buffer, 0, bytes, offset);
  return buffer;
}

function pageBytesOf(db: number | null, log: number | null): number {
  const isSize = (bytes: number) => bytes >= 512 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
  const ofDb = db === null ? 0 : readAt(db, 16, 2).readUInt16BE(0);
  if (isSize(ofDb)) return ofDb;
  const ofLog = log === null ? 0 : readAt(log, 8, 4).readUInt32BE(0);
  return isSize(ofLog) ? ofLog : defaultPageBytes;
}

/** SQLite's variable-length integer: value and next position. */
function varint(page: Buffer, at: number): [value: number, next: number] {
  let value = 0;
  for (let n = 0; n < 9; n++) {
    const byte = page[at + n];
    if (byte === undefined) throw new RangeError('beyond the page');
    if (n === 8) return [value * 256 + byte, at + 9];
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return [value, at + n + 1];
  }
  return [value, at + 9];
}

/** The whole record of a cell with its overflow pages; null when some of it is missing. */
function payloadOf(pages: Pages, page: Buffer, at: number, bytes: number): Buffer | null {
  const usable = pages.pageBytes;
  const localMax = usable - 35;
  // A damaged length, or a chain of pages that leads back into itself, must not read more than
  // there is.
  if (bytes > pages.bytesMax) return null;
  if (bytes <= localMax) return at + bytes <= page.length ? page.subarray(at, at + bytes) : null;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const odd = least + ((bytes - least) % (usable - 4));
  const local = odd <= localMax ? odd : least;
  if (at + local + 4 > page.length) return null;
  const parts = [page.subarray(at, at + local)];
  let next = page.readUInt32BE(at + local);
  for (let left = bytes - local; left > 0;) {
    const overflow = next === 0 ? null : pages.read(next);
    if (!overflow) return null;
    const part = overflow.subarray(4, 4 + Math.min(left, usable - 4));
    parts.push(part);
    left -= part.length;
    next = overflow.readUInt32BE(0);
  }
  return Buffer.concat(parts, bytes);
}

type Value = number | string | Buffer | null;

const integerBytes = [0, 1, 2, 3, 4, 6, 8];

/** The values of a record; null when its column count is not one we look for. */
function valuesOf(record: Buffer): Value[] | null {
  const [headerBytes, first] = varint(record, 0);
  const types: number[] = [];
  for (let at = first; at < headerBytes && types.length <= columnsMax;) {
    const [type, next] = varint(record, at);
    types.push(type);
    at = next;
  }
  if (!columnCounts.has(types.length)) return null;
  let at = headerBytes;
  return types.map((type): Value => {
    const bytes = type < 12 ? (integerBytes[type] ?? 8) : Math.floor((type - 12) / 2);
    const value = type === 8 || type === 9 ? Buffer.alloc(0) : record.subarray(at, at + bytes);
    at += value.length;
    if (type === 0) return null;
    if (type === 8 || type === 9) return type - 8;
    if (type < 7) return bytes === 8 ? Number(value.readBigInt64BE(0)) : value.readIntBE(0, bytes);
    if (type < 12) return null;
    return type % 2 === 0 ? Buffer.from(value) : value.toString('utf8');
  });
}

function entryAt(pages: Pages, page: Buffer, at: number): StoredEntry | null {
  const [bytes, afterBytes] = varint(page, at);
  const [seq, start] = varint(page, afterBytes);
  if (bytes > 2 ** 31) return null;
  const record = payloadOf(pages, page, start, bytes);
  const values = record && valuesOf(record);
  // The first column is the Seq. SQLite keeps it as the row's number, and null in the record.
  if (!values || values[0] !== null) return null;
  if (values.length === 6) return strippedOf(seq, values);
  return typeof values[1] === 'number' ? oldEntryOf(seq, values) : bodyOf(seq, values);
}

const textOrNull = (value: Value | undefined) => (typeof value === 'string' ? value : null);

/** A stripped entry, from table known. Null for one that has its body: that row is found too. */
function strippedOf(seq: number, values: readonly Value[]): StoredEntry | null {
  const [, lane, guid, accepted, digest] = values;
  const isStripped =
    typeof lane === 'number' &&
    Buffer.isBuffer(guid) &&
    typeof accepted === 'number' &&
    Buffer.isBuffer(digest) &&
    digest.length === digestBytes &&
    digest.some((byte) => byte !== 0);
  if (!isStripped) return null;
  return {
    seq,
    lane,
    guid,
    accepted_ms: accepted,
    digest,
    action: null,
    key: null,
    at: null,
    user: null,
    body: null,
    trace: null,
    crc: null,
    owner: '',
    term: 0,
  };
}

function bodyOf(seq: number, values: readonly Value[]): StoredEntry | null {
  const [, action, guid, key, at, user, accepted, trace, crc, , body, owner] = values;
  const isBody =
    (values.length === 11 || values.length === 12) &&
    typeof action === 'string' &&
    isWriteAction(action) &&
    Buffer.isBuffer(guid) &&
    typeof key === 'string' &&
    typeof accepted === 'number' &&
    typeof body === 'string';
  if (!isBody) return null;
  return {
    seq,
    lane: laneIndex(laneOf(action) ?? 'queue'),
    action,
    guid,
    key,
    at: textOrNull(at),
    user: textOrNull(user),
    accepted_ms: accepted,
    body,
    digest: null,
    trace: validTrace(trace),
    crc: typeof crc === 'number' ? crc : null,
    ...(typeof owner === 'number' && owner > 0
      ? { owner: null, term: null, ownerId: owner }
      : { owner: '', term: 0 }),
  };
}

function oldEntryOf(seq: number, values: readonly Value[]): StoredEntry | null {
  const [, lane, action, guid, key, at, user, accepted, body, digest, trace] = values;
  const isEntry =
    typeof lane === 'number' &&
    typeof action === 'string' &&
    Buffer.isBuffer(guid) &&
    typeof key === 'string' &&
    typeof accepted === 'number';
  if (!isEntry) return null;
  return {
    seq,
    lane,
    action,
    guid,
    key,
    at: textOrNull(at),
    user: textOrNull(user),
    accepted_ms: accepted,
    body: textOrNull(body),
    digest: Buffer.isBuffer(digest) ? digest : null,
    trace: validTrace(trace),
    crc: null,
    owner: '',
    term: 0,
  };
}

function* entriesOfPage(pages: Pages, page: Buffer): Generator<StoredEntry> {
  if (page[0] !== tableLeaf) return;
  const cells = page.readUInt16BE(3);
  for (let n = 0; n < cells && 8 + 2 * n + 2 <= page.length; n++) {
    try {
      const entry = entryAt(pages, page, page.readUInt16BE(8 + 2 * n));
      if (entry) yield entry;
    } catch (error) {
      // Not a cell: this part of the page is damaged, but the next cell may be sound.
      if (!(error instanceof RangeError)) throw error;
    }
  }
}

/**
 * Every entry that is physically in the files, perhaps twice. Stripped entries come first, because
 * a free page may still hold a body that was stripped since. Either path may be null.
 */
export function* carve(dbPath: string | null, logPath: string | null): Generator<StoredEntry> {
  const db = dbPath === null ? null : openSync(dbPath, 'r');
  const log = logPath === null ? null : openSync(logPath, 'r');
  try {
    const pages = new Pages(db, log);
    for (const isStripped of [true, false])
      for (const number of pages.numbers()) {
        const page = pages.read(number);
        if (!page) continue;
        for (const entry of entriesOfPage(pages, page))
          if ((entry.body === null) === isStripped) yield entry;
      }
  } finally {
    for (const fd of [db, log]) if (fd !== null) closeSync(fd);
  }
}
