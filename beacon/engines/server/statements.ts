/**
 * Runs a statement of an endpoint on a session; a refused one leaves the others of its transaction
 * intact.
 */
import { TidemarkError } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { type Statement, StatementFault, type StatementResult } from '../../engine/engine.ts';
import type { Query, QueryResult, ServerDialect, Session } from './dialect.ts';

/**
 * @throws errors of the database itself, and TidemarkError TOO_LARGE when the rows exceed an answer
 */
export async function runStatement(
  session: Session,
  statement: Statement,
  dialect: ServerDialect,
): Promise<StatementResult | StatementFault> {
  const plain = (sql: string): Query => ({ sql, parameters: [] });
  if (statement.isWrite) await session.run(plain(dialect.savepoint.set));
  try {
    const result = await (statement.query
      ? runForeign(session, statement.sql, statement.query, dialect)
      : session.run(statement));
    const read =
      statement.readBack && result.changes > 0 ? await session.run(statement.readBack) : result;
    insistOnSize(read);
    return {
      rows: statement.query ? read.rows.slice(0, statement.query.rowsMax) : read.rows,
      changes: result.changes,
    };
  } catch (error) {
    const fault = dialect.faultOf(error);
    if (!(fault instanceof StatementFault)) throw error;
    if (statement.isWrite) await session.run(plain(dialect.savepoint.rollback));
    return fault;
  }
}

async function runForeign(
  session: Session,
  sql: string,
  limits: NonNullable<Statement['query']>,
  dialect: ServerDialect,
): Promise<QueryResult> {
  const { before, query, after } = dialect.foreign(sql, limits);
  for (const setting of before) await session.run({ sql: setting, parameters: [] });
  try {
    return await session.run(query);
  } finally {
    // The connection goes back to the pool; on a broken one there is nothing to reset.
    for (const setting of after)
      await session.run({ sql: setting, parameters: [] }).catch(() => undefined);
  }
}

function insistOnSize({ rows }: QueryResult): void {
  let chars = 0;
  for (const row of rows) {
    for (const name in row) chars += typeof row[name] === 'string' ? row[name].length : 8;
    if (chars > bounds.answerBytesMax)
      throw new TidemarkError(
        'TOO_LARGE',
        `the rows are over ${bounds.answerBytesMax} bytes; ask for fewer`,
      );
  }
}
