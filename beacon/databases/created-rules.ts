/**
 * What a connection made by request may reach: SQLite files of one folder that the operator named,
 * and servers by a closed list of parameters, none of which names a file.
 */
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import { journalId } from '../engines/sqlite/engine.ts';
import { makeFolderOf } from '../engines/sqlite/handle.ts';
import { type DatabaseUrl, parseDatabaseUrl, type ServerKind } from './config.ts';

/** Parameters behind the question mark, and what each may say. */
const parameters: Readonly<Record<ServerKind, Readonly<Record<string, RegExp>>>> = {
  postgresql: {
    sslmode: /^(?:disable|prefer|require|verify-ca|verify-full|no-verify)$/,
    application_name: /^[\w .-]{1,64}$/,
  },
  mysql: { ssl: /^(?:true|insecure)$/ },
  mssql: { encrypt: /^(?:true|false)$/, trustServerCertificate: /^(?:true|false)$/ },
};

const hostShape = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])$/;
const sqliteHeader = Buffer.from('SQLite format 3\0');
/** Where the header of a SQLite file says whose it is. */
const applicationIdAt = 68;
const headerBytes = 100;
/** Beside one of these lies state of a worker or a databeacon. */
const ownFiles = ['beacon.db', 'writer.lock', 'store.json'];

function refused(why: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', `Settings.Config: ${why}`);
}

export class CreatedRules {
  /** As it really is, without links; null when connections are not made by request. */
  readonly #folder: string | null;
  readonly #owns: (path: string) => boolean;

  /**
   * @param owns whether a path is a file of the beacon's own
   * @throws TidemarkError CONFIG_INVALID when the folder is not to be had
   */
  constructor(folder: string | null, owns: (path: string) => boolean = () => false) {
    this.#owns = owns;
    if (folder === null) this.#folder = null;
    else {
      try {
        makeFolderOf(join(folder, 'x'));
        this.#folder = realpathSync(folder);
      } catch (cause) {
        throw new TidemarkError('CONFIG_INVALID', `--create-connections: ${messageOf(cause)}`, {
          cause,
        });
      }
    }
  }

  /**
   * Reads a URL that somebody on the bus gave; a relative path counts from the folder.
   * @throws TidemarkError FORBIDDEN when it is switched off, INVALID_MESSAGE for what may not be
   * reached
   */
  parse(url: string): DatabaseUrl {
    if (this.#folder === null)
      throw new TidemarkError(
        'FORBIDDEN',
        'connections are not made by request here; start the databeacon with --create-connections <folder>',
      );
    if (url.length > bounds.databaseUrlCharsMax)
      throw refused(`${url.length} characters, at most ${bounds.databaseUrlCharsMax}`);
    const database = parseDatabaseUrl(url, this.#folder);
    if (database.kind === 'sqlite') this.assertFile(database.path);
    else assertServer(database.kind, new URL(database.url));
    return database;
  }

  /**
   * Whether a file may be opened, or made; asked before each opening, for the file may be another
   * one by then.
   * @throws TidemarkError INVALID_MESSAGE
   */
  assertFile(path: string): void {
    if (this.#owns(path))
      throw refused(`${path} is the beacon's own file, and no database to be had`);
    const folder = this.#folder ?? '';
    const name = basename(path);
    if (/-(?:wal|shm|journal)$/.test(name))
      throw refused(`${name} is the name of a file that SQLite keeps beside another`);
    for (let at = dirname(path); at !== folder; at = dirname(at)) {
      if (at === dirname(at)) throw refused(`only files below ${folder} are databases to be had`);
      if (lstat(at)?.isDirectory() === false) throw refused(`${at} is no folder, or a link`);
    }
    const within = relative(folder, path);
    if (within === '' || within.startsWith('..'))
      throw refused(`only files below ${folder} are databases to be had`);
    if (ownFiles.some((own) => existsSync(join(dirname(path), own))))
      throw refused(`${dirname(path)} has our own state in it`);
    for (const suffix of ['', '-wal', '-shm', '-journal']) assertPlain(path + suffix);
    if (existsSync(path)) assertDatabase(path);
  }
}

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** A link, under whatever kind, could lead out of the folder. */
function assertPlain(path: string): void {
  const found = lstat(path);
  if (found && !(found.isFile() && found.nlink === 1))
    throw refused(`${path} is a link, or no plain file`);
}

/** Told from its bytes: SQLite would turn what it opens into something else. */
function assertDatabase(path: string): void {
  const header = Buffer.alloc(headerBytes);
  const file = openSync(path, 'r');
  let bytes: number;
  try {
    bytes = readSync(file, header, 0, headerBytes, 0);
  } finally {
    closeSync(file);
  }
  if (bytes === 0) return;
  if (!header.subarray(0, sqliteHeader.length).equals(sqliteHeader))
    throw refused(`${path} is neither empty nor a SQLite file`);
  if (header.readUInt32BE(applicationIdAt) === journalId)
    throw refused(`${path} is the journal of a worker, and no database to be had`);
}

function assertServer(kind: ServerKind, url: URL): void {
  if (!hostShape.test(url.hostname)) throw refused('expected the name or address of a host');
  const allowed = parameters[kind];
  for (const [name, value] of url.searchParams) {
    const shape = Object.hasOwn(allowed, name) ? allowed[name] : undefined;
    if (!shape)
      throw refused(`a parameter that is not taken; there are ${Object.keys(allowed).join(', ')}`);
    if (!shape.test(value)) throw refused(`parameter ${name} does not say what it may`);
  }
}
