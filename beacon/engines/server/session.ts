/** Sessions over kysely: one connection for a piece of work, with or without a transaction. */
import { CompiledQuery, type Kysely } from 'kysely';
import type { Query, QueryResult, Session } from './dialect.ts';

type Executor = Pick<Kysely<unknown>, 'executeQuery'>;

/** A session over anything that runs statements on one connection. */
export function sessionOf(executor: Executor): Session {
  return {
    async run({ sql, parameters }: Query): Promise<QueryResult> {
      const { rows, numAffectedRows } = await executor.executeQuery(
        CompiledQuery.raw(sql, [...parameters]),
      );
      return {
        rows: rows as Record<string, unknown>[],
        changes: numAffectedRows === undefined ? rows.length : Number(numAffectedRows),
      };
    },
  };
}

/** Runs one transaction; rolls back when it throws or does not take effect. */
export async function transact<T>(
  db: Kysely<unknown>,
  work: (session: Session) => Promise<T>,
  takesEffect: (result: T) => boolean = () => true,
): Promise<T> {
  const transaction = await db.startTransaction().execute();
  try {
    const result = await work(sessionOf(transaction));
    if (takesEffect(result)) await transaction.commit().execute();
    else await transaction.rollback().execute();
    return result;
  } catch (error) {
    // A broken connection has rolled back by itself; report the original error.
    if (!transaction.isCommitted && !transaction.isRolledBack)
      await transaction
        .rollback()
        .execute()
        .catch(() => undefined);
    throw error;
  }
}

/** One connection, without a transaction. */
export function connected<T>(
  db: Kysely<unknown>,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return db.connection().execute((connection) => work(sessionOf(connection)));
}
