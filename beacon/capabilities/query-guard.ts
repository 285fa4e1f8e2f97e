/**
 * Checks a caller's SQL before a database sees it: one SELECT, nothing that writes, nothing that
 * reaches outside the tables. The engine is the second line of defence: a single statement, a
 * read-only transaction, a time limit.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import type { EngineKind } from '../engine/engine.ts';

const beginnings: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'VALUES']);

/**
 * Words that begin a statement or clause with an effect, in any engine. A column of such a name
 * must be quoted.
 */
const refusedWords: ReadonlySet<string> = new Set([
  'ALTER',
  'ANALYZE',
  'ATTACH',
  'BACKUP',
  'BEGIN',
  'BULK',
  'CALL',
  'CHECKPOINT',
  'CLUSTER',
  'COMMIT',
  'COPY',
  'CREATE',
  'DBCC',
  'DEALLOCATE',
  'DECLARE',
  'DELETE',
  'DENY',
  'DETACH',
  'DISCARD',
  'DO',
  'DROP',
  'EXEC',
  'EXECUTE',
  'EXPLAIN',
  'EXPORT',
  'GRANT',
  'HANDLER',
  'IMPORT',
  'INSERT',
  'INSTALL',
  'INTO',
  'KILL',
  'LISTEN',
  'LOAD',
  'LOCK',
  'MERGE',
  'NOTIFY',
  'OPENDATASOURCE',
  'OPENQUERY',
  'OPENROWSET',
  'OPENXML',
  'OUTFILE',
  'DUMPFILE',
  'PRAGMA',
  'PREPARE',
  'PROCEDURE',
  'RECONFIGURE',
  'REINDEX',
  'RELEASE',
  'RENAME',
  'RESET',
  'RESTORE',
  'REVOKE',
  'ROLLBACK',
  'SAVEPOINT',
  'SET',
  'SHUTDOWN',
  'TRUNCATE',
  'UNLOCK',
  'UPDATE',
  'USE',
  'VACUUM',
  'WAITFOR',
]);

/** PostgreSQL's `pg_...` functions that only read. */
const postgresFacts = [
  'typeof',
  String.raw`get_\w+`,
  'size_pretty',
  '(?:total_)?relation_size',
  'table_size',
  'indexes_size',
  'column_size',
  'database_size',
];
/**
 * Functions on large objects, other servers, settings and sequences, and those that run text as a
 * query.
 */
const postgresEffects = [
  String.raw`lo_\w+|loread|lowrite`,
  String.raw`dblink\w*`,
  'set_config|nextval|setval|txid_current',
  String.raw`\w+_to_xml\w*|xmltable|ts_stat|crosstab\w*|connectby`,
  String.raw`binary_upgrade\w*`,
];
/** Functions on files, waiting, locks, programs of the host, and sequences. */
const mysqlEffects = [
  'load_file|sleep|benchmark',
  'get_lock|release_lock|release_all_locks',
  'sys_exec|sys_eval|sys_get|sys_set',
  'nextval|setval|lastval',
  String.raw`\w+_pos_wait|\w+_gtid_wait|wait_for_\w+`,
];

/**
 * Functions that write, wait, or reach files, other sessions or other servers. A read-only
 * transaction does not stop all of them.
 */
const refusedFunctions: Readonly<Record<EngineKind, RegExp>> = {
  sqlite: /^(?:load_extension|readfile|writefile|edit|eval|fts3_tokenizer|sqlite_\w*log\w*)$/,
  postgresql: new RegExp(
    [
      String.raw`^pg_(?!(?:${postgresFacts.join('|')})$)\w+$`,
      String.raw`^(?:${postgresEffects.join('|')})$`,
    ].join('|'),
  ),
  mysql: new RegExp(`^(?:${mysqlEffects.join('|')})$`),
  mssql:
    /^(?:openrowset|opendatasource|openquery|openxml|xp_\w+|sp_\w+|fn_(?:xe|get_sql|trace|dblog|dump_dblog)\w*)$/,
};

type Token = { kind: 'word' | 'name' | 'mark'; text: string };

function refuse(reason: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', `Only SELECT queries are allowed. ${reason}`);
}

/** The quotes of an engine: what closes each, and whether it encloses a name or a text. */
const quotesOf: Readonly<
  Record<EngineKind, Readonly<Record<string, readonly [close: string, kind: 'name' | 'mark']>>>
> = {
  sqlite: { "'": ["'", 'mark'], '"': ['"', 'name'], '`': ['`', 'name'], '[': [']', 'name'] },
  postgresql: { "'": ["'", 'mark'], '"': ['"', 'name'] },
  // By a setting of the server double quotes enclose a text or a name; both are checked as a name.
  mysql: { "'": ["'", 'mark'], '"': ['"', 'name'], '`': ['`', 'name'] },
  mssql: { "'": ["'", 'mark'], '"': ['"', 'name'], '[': [']', 'name'] },
};

const word = /[\p{L}_][\p{L}\p{N}_$]*/uy;

/** Refuses syntax that engines read differently, which could hide something from this check. */
function refuseAmbiguous(sql: string, at: number, kind: EngineKind): void {
  const pair = sql.slice(at, at + 2);
  if (pair === '--' || pair === '/*' || (kind === 'mysql' && sql[at] === '#'))
    throw refuse('Leave comments out.');
  if (sql[at] === '\0') throw refuse('It has a zero character in it.');
  if (kind === 'postgresql' && sql[at] === '$')
    throw refuse('Write texts in single quotes, not in dollars.');
  if (kind === 'mysql' && pair === ':=') throw refuse('Variables cannot be assigned.');
}

function quotedAt(sql: string, at: number, kind: EngineKind): { token: Token; end: number } | null {
  const open = sql[at] ?? '';
  const quote = Object.hasOwn(quotesOf[kind], open) ? quotesOf[kind][open] : undefined;
  if (!quote) return null;
  const [close, tokenKind] = quote;
  if (
    kind === 'postgresql' &&
    /(?:^|[^\p{L}\p{N}_$])(?:e|u&)$/iu.test(sql.slice(Math.max(0, at - 3), at))
  )
    throw refuse('Write texts and names without E and U& before their quotes.');
  let end = at + 1;
  let text = '';
  for (;;) {
    const found = sql.indexOf(close, end);
    if (found < 0) throw refuse('A quote is not closed.');
    text += sql.slice(end, found);
    end = found + 1;
    // SQLite's brackets know no doubling.
    if (sql[end] !== close || (open === '[' && kind === 'sqlite')) break;
    text += close;
    end += 1;
  }
  if (kind === 'mysql' && text.includes('\\'))
    throw refuse('Write texts and names without a backslash, which servers read in two ways.');
  return { token: { kind: tokenKind, text }, end };
}

function tokensOf(sql: string, kind: EngineKind): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length;) {
    word.lastIndex = at;
    const found = word.exec(sql)?.[0];
    if (found !== undefined) {
      tokens.push({ kind: 'word', text: found });
      at += found.length;
      continue;
    }
    refuseAmbiguous(sql, at, kind);
    const quoted = quotedAt(sql, at, kind);
    if (quoted) tokens.push(quoted.token);
    else if (!/[\s\d]/.test(sql[at] ?? '')) tokens.push({ kind: 'mark', text: sql[at] ?? '' });
    at = quoted?.end ?? at + 1;
  }
  return tokens;
}

function checkToken(token: Token, next: Token | undefined, kind: EngineKind): void {
  if (token.kind === 'mark') return;
  const upper = token.text.toUpperCase();
  const isCalled = next?.kind === 'mark' && next.text === '(';
  if (isCalled && refusedFunctions[kind].test(token.text.toLowerCase()))
    throw refuse(`The function ${token.text.slice(0, 60)} does more than reading rows.`);
  if (token.kind === 'name') return;
  if (refusedWords.has(upper) || (upper === 'REPLACE' && !isCalled))
    throw refuse(`The word ${upper} cannot be in one; quote it where it is a name.`);
  if (upper === 'NEXT' && next?.kind === 'word' && next.text.toUpperCase() === 'VALUE')
    throw refuse('A sequence would move on.');
}

/**
 * The SQL without a final semicolon.
 * @throws TidemarkError INVALID_MESSAGE for what is not one SELECT, TOO_LARGE
 */
export function guardedQuery(given: string, kind: EngineKind): string {
  if (given.length > bounds.queryCharsMax)
    throw new TidemarkError(
      'TOO_LARGE',
      `the query has ${given.length} characters, at most ${bounds.queryCharsMax}`,
    );
  const sql = given.trim().replace(/;$/, '').trimEnd();
  const tokens = tokensOf(sql, kind);
  const first = tokens.find(({ kind: one, text }) => one !== 'mark' || text !== '(');
  if (first?.kind !== 'word' || !beginnings.has(first.text.toUpperCase()))
    throw refuse('It begins with SELECT, WITH or VALUES.');
  for (const [at, token] of tokens.entries()) {
    if (token.kind === 'mark' && token.text === ';')
      throw refuse('There is more than one statement.');
    checkToken(token, tokens[at + 1], kind);
  }
  return sql;
}
