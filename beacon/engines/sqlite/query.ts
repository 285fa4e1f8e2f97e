/**
 * Foreign queries on SQLite, each in a process of its own, so that the event loop is never blocked,
 * and time and memory are bounded.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { extname, join } from 'node:path';
import { TidemarkError } from '../../../contracts/errors.ts';
import { type Clock, systemClock } from '../../../runtime/clock.ts';
import { bounds } from '../../bounds.ts';
import { type Statement, StatementFault, type StatementResult } from '../../engine/engine.ts';

type QueryBounds = NonNullable<Statement['query']>;
export type QueryJob = {
  path: string;
  sql: string;
  parameters: readonly unknown[];
  rowsMax: number;
};
export type QueryReply =
  | { rows: Record<string, unknown>[] }
  | { fault: { code: string; message: string } }
  | { tooLarge: string };

/** Faults of the database rather than of the query. */
const databaseCodes = /^SQLITE_(?:BUSY|LOCKED|IOERR|CORRUPT|NOTADB|CANTOPEN|NOMEM|FULL|READONLY_)/;

const program = join(import.meta.dirname, `query-child${extname(import.meta.filename)}`);

export class SqliteQueries {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #running = new Set<ChildProcess>();

  constructor(path: string, clock: Clock = systemClock) {
    this.#path = path;
    this.#clock = clock;
  }

  /**
   * @throws TidemarkError TOO_LARGE above the bounds of time, memory or bytes, OVERLOADED;
   * StatementFault; errors of the database as the driver throws them
   */
  async run(statement: Statement, { rowsMax, timeoutMs }: QueryBounds): Promise<StatementResult> {
    if (this.#running.size >= bounds.queriesMax) {
      throw new TidemarkError(
        'OVERLOADED',
        `${this.#running.size} queries of this connection are running`,
        { retryAfterMs: bounds.databaseRetryMs },
      );
    }
    const reply = await this.#ask(
      { path: this.#path, sql: statement.sql, parameters: statement.parameters, rowsMax },
      timeoutMs,
    );
    if ('rows' in reply) return { rows: reply.rows, changes: 0 };
    if ('tooLarge' in reply) throw new TidemarkError('TOO_LARGE', reply.tooLarge);
    const { code, message } = reply.fault;
    if (databaseCodes.test(code))
      throw Object.assign(new Error(message), { name: 'SqliteError', code });
    throw new StatementFault('other', code, message.slice(0, bounds.reasonCharsMax));
  }

  #ask(job: QueryJob, timeoutMs: number): Promise<QueryReply> {
    // Pass nothing on: no tokens from the environment, no flags of ours.
    const child = fork(program, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
      env: {},
      execArgv: [],
    });
    this.#running.add(child);
    return new Promise<QueryReply>((resolve, reject) => {
      const cancel = this.#clock.timer(timeoutMs, () => {
        resolve({ tooLarge: `the query was ended after ${timeoutMs} ms; ask for less` });
        child.kill('SIGKILL');
      });
      child.once('message', (reply) => {
        cancel();
        resolve(reply as QueryReply);
        child.kill('SIGKILL');
      });
      child.once('error', (cause) =>
        reject(
          new TidemarkError('UNAVAILABLE', `the query could not be started: ${cause.message}`, {
            cause,
          }),
        ),
      );
      child.once('exit', () => {
        cancel();
        this.#running.delete(child);
        reject(
          new TidemarkError('UNAVAILABLE', 'the query was ended before it answered', {
            retryAfterMs: bounds.databaseRetryMs,
          }),
        );
      });
      child.send(
        job,
        (cause) =>
          cause &&
          reject(
            new TidemarkError('UNAVAILABLE', `the query could not be started: ${cause.message}`, {
              cause,
            }),
          ),
      );
    });
  }

  /** Ends running queries. */
  close(): void {
    for (const child of this.#running) child.kill('SIGKILL');
  }
}
