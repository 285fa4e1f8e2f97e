/**
 * Sessions over kysely: one connection for a piece of work, with or without a transaction around
 * it.
 */
import { CompiledQuery, type Kysely } from 'kysely';
import type { Query, QueryResult, Session } from './dialect.ts';

type Executor = Pick<Kysely<unknown>, 'executeQuery'>;

/** A session over whatever runs statements on one connection. */
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

/** One transaction; what does not take effect, and what throws, is rolled back. */
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
    // A connection that broke has rolled back by itself; what happened first is told.
    if (!transaction.isCommitted && !transaction.isRolledBack)
      await transaction
        .rollback()
        .execute()
        .catch(() => undefined);
    throw error;
  }
}

/** One connection, each statement for itself. */
export function connected<T>(
  db: Kysely<unknown>,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return db.connection().execute((connection) => work(sessionOf(connection)));
}
