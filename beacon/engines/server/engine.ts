/**
 * A server database as an engine: pooled connections, transactions, deadlocks done again, and an
 * honest word when it is away.
 */
import type { Kysely } from 'kysely';
import type { ApplyOutputs } from '../../../contracts/capability.ts';
import { messageOf, TidemarkError } from '../../../contracts/errors.ts';
import { Backoff } from '../../../runtime/backoff.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { withDeadline } from '../../../runtime/deadline.ts';
import { bounds } from '../../bounds.ts';
import {
  type ApplyBatch,
  type DatabaseState,
  type Engine,
  type EngineHealth,
  type EngineKind,
  markTable,
  type Statement,
  StatementFault,
  type StatementResult,
  storeTable,
  type TableInfo,
} from '../../engine/engine.ts';
import { RefusedLot, SetApplier } from './apply.ts';
import type { ServerDialect, Session } from './dialect.ts';
import { connected, transact } from './session.ts';
import { Shapes } from './shapes.ts';
import { runStatement } from './statements.ts';

export class ServerEngine implements Engine {
  readonly kind: EngineKind;
  readonly #dialect: ServerDialect;
  /** The URL without its secret. */
  readonly #label: string;
  readonly #onChange: () => void;
  /** Replaced when it is to be forgotten: an apply that is under way goes on with what it knows. */
  #shapes = new Shapes();
  #db: Kysely<unknown> | null = null;
  #isClosed = false;

  /** `onChange` is called when a connection that was not in use broke. */
  constructor(dialect: ServerDialect, label: string, onChange: () => void = () => undefined) {
    this.kind = dialect.kind;
    this.#dialect = dialect;
    this.#label = label;
    this.#onChange = onChange;
  }

  introspect(tables?: readonly string[]): Promise<TableInfo[]> {
    return this.#use((db) => connected(db, (session) => this.#dialect.introspect(session, tables)));
  }

  async migrate(plan: (state: DatabaseState) => readonly string[]): Promise<void> {
    try {
      await this.#use(
        (db) =>
          this.#dialect.migrate(db, async (session, textCollation) => {
            const tables = await this.#dialect.introspect(session);
            const storeId = await readStoreId(session, this.#dialect, tables);
            for (const sql of plan({ tables, storeId, textCollation }))
              await session.run({ sql, parameters: [] });
          }),
        bounds.migrationMs,
      );
    } finally {
      this.#shapes = new Shapes();
    }
  }

  async apply(batch: ApplyBatch): Promise<ApplyOutputs> {
    // What is refused below the mark is committed with the others, so it must not be for what was
    // so a while ago.
    if (batch.isBelowMark) this.#shapes = new Shapes();
    const known = this.#shapes;
    const isFresh = await this.#learn(known, batch);
    const outputs = await this.#applyOnce(known, batch);
    if (isFresh || outputs.IsCommitted) return outputs;
    // Somebody may have added a column, or widened one.
    const fresh = (this.#shapes = new Shapes());
    await this.#learn(fresh, batch);
    return this.#applyOnce(fresh, batch);
  }

  /** True when all that the batch needs was looked up just now. */
  async #learn(shapes: Shapes, { mutations }: ApplyBatch): Promise<boolean> {
    const names = new Set([markTable, ...mutations.map((mutation) => mutation.Table)]);
    const missing = shapes.missing(names);
    if (missing.length > 0) shapes.learn(missing, await this.introspect(missing));
    return missing.length === names.size;
  }

  async #applyOnce(shapes: Shapes, batch: ApplyBatch): Promise<ApplyOutputs> {
    const run = (isCareful: boolean) =>
      this.#use((db) =>
        transact(
          db,
          (session) =>
            new SetApplier(
              { session, isCareful, shapes, ...this.#applierOptions() },
              batch.now,
            ).apply(batch),
          (outputs) => outputs.IsCommitted,
        ),
      );
    try {
      return await run(false);
    } catch (error) {
      if (!(error instanceof RefusedLot)) throw error;
      return run(true);
    }
  }

  #applierOptions() {
    const { sets, savepoint } = this.#dialect;
    return { sets, savepoint, faultOf: (error: unknown) => this.#dialect.faultOf(error) };
  }

  execute(statements: readonly Statement[]): Promise<(StatementResult | StatementFault)[]> {
    const all = async (session: Session) => {
      const results: (StatementResult | StatementFault)[] = [];
      for (const statement of statements)
        results.push(await runStatement(session, statement, this.#dialect));
      return results;
    };
    const isTransaction = statements.some(
      (statement) => statement.isWrite || statement.query !== undefined,
    );
    // Foreign SQL has nothing to keep.
    const isKept = statements.every((statement) => statement.query === undefined);
    return this.#use((db) =>
      isTransaction ? transact(db, all, () => isKept) : connected(db, all),
    );
  }

  async check(): Promise<EngineHealth> {
    try {
      const storeId = await this.#use(
        (db) =>
          connected(db, async (session) => {
            const tables = await this.#dialect.introspect(session, [storeTable]);
            return readStoreId(session, this.#dialect, tables);
          }),
        bounds.checkMs,
      );
      return { isConnected: true, storeId, reason: '' };
    } catch (error) {
      return { isConnected: false, storeId: '', reason: messageOf(error) };
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#drop();
  }

  #current(): Kysely<unknown> {
    if (this.#isClosed) throw new TidemarkError('UNAVAILABLE', `database ${this.#label} is closed`);
    this.#db ??= this.#dialect.open(() => {
      // The server may have been exchanged behind it.
      this.#shapes = new Shapes();
      this.#onChange();
    });
    return this.#db;
  }

  /** Gives the pool up; what still runs on it ends by itself. */
  async #drop(): Promise<void> {
    const db = this.#db;
    this.#db = null;
    this.#shapes = new Shapes();
    const destroyed = db?.destroy().catch(() => undefined);
    if (destroyed) await withDeadline(destroyed, systemClock, bounds.poolCloseMs, () => undefined);
  }

  /**
   * Deadlocks are done again; when the database is away, so says the error, and the next use begins
   * with fresh connections.
   */
  async #use<T>(
    work: (db: Kysely<unknown>) => Promise<T>,
    withinMs: number = bounds.statementMs,
  ): Promise<T> {
    const backoff = new Backoff(systemClock, bounds.deadlockBackoff);
    const deadlineMs = withinMs + bounds.answerSlackMs;
    const startedMs = systemClock.monotonicMs();
    // A lock that is still held is waited for as long as one statement may take, and no longer.
    const isInTime = () => systemClock.monotonicMs() - startedMs + bounds.lockMs < withinMs;
    for (let tries = 1; ; tries++) {
      const db = this.#current();
      try {
        return await withDeadline(work(db), systemClock, deadlineMs, () => {
          throw new Error(`no answer within ${deadlineMs} ms`);
        });
      } catch (error) {
        if (error instanceof TidemarkError || error instanceof RefusedLot) throw error;
        const fault = this.#dialect.faultOf(error);
        if (fault instanceof StatementFault) throw fault;
        if (fault === 'again' && tries < bounds.deadlockTries && isInTime()) {
          await backoff.wait();
          continue;
        }
        if (fault === 'away' && this.#db === db) void this.#drop();
        throw new TidemarkError('UNAVAILABLE', `database ${this.#label}: ${messageOf(error)}`, {
          cause: error,
          retryAfterMs: bounds.databaseRetryMs,
        });
      }
    }
  }
}

async function readStoreId(
  session: Session,
  dialect: ServerDialect,
  tables: readonly TableInfo[],
): Promise<string> {
  if (!tables.some((table) => table.name === storeTable)) return '';
  const {
    rows: [row],
  } = await session.run(dialect.storeId);
  return typeof row?.['StoreID'] === 'string' ? row['StoreID'] : '';
}
