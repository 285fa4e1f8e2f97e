/** The mark row of a hub and lane in a server database, in the caller's transaction. */
import type { StoredMark } from '../../../contracts/capability.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { bounds } from '../../bounds.ts';
import { type ApplyBatch, markTable } from '../../engine/engine.ts';
import { insistOnTermColumns, markOfRow } from '../../engine/mark-rule.ts';
import type { Column, Table } from '../../engine/table.ts';
import type { Session, SetStatements } from './dialect.ts';

export class ServerMark {
  readonly #session: Session;
  readonly #sets: SetStatements;
  readonly #table: Table;
  readonly #key: Column[];
  readonly #values: Column[];
  readonly #hasTerm: boolean;

  /** @throws TidemarkError UNAVAILABLE when the database has no table for marks */
  constructor(session: Session, sets: SetStatements, table: Table | null) {
    if (!table)
      throw new TidemarkError(
        'UNAVAILABLE',
        `the database has no table ${markTable}; run EnsureSchema first`,
        { retryAfterMs: bounds.databaseRetryMs },
      );
    this.#session = session;
    this.#sets = sets;
    this.#table = table;
    this.#key = columnsOf(table, 'HubID', 'Lane');
    this.#hasTerm = table.columns.has('Term');
    this.#values = columnsOf(
      table,
      'Epoch',
      'Seq',
      'UpdatedAt',
      ...(this.#hasTerm ? ['Term', 'Owner'] : []),
    );
  }

  /**
   * Locks the row until the transaction ends, so that a late repeat of the batch waits for this
   * one.
   */
  async read({ hubId, lane }: ApplyBatch): Promise<StoredMark | null> {
    const query = this.#sets.read(this.#table, this.#key, this.#values, [[hubId, lane]]);
    const {
      rows: [row],
    } = await this.#session.run(query);
    return row ? markOfRow(row) : null;
  }

  async write(batch: ApplyBatch, mark: StoredMark, isThere: boolean): Promise<void> {
    insistOnTermColumns(this.#hasTerm, batch);
    const { hubId, lane } = batch;
    const { Epoch, Seq, UpdatedAt, Term = 0, Owner = '' } = mark;
    const row = [[hubId, lane, Epoch, Seq, UpdatedAt, ...(this.#hasTerm ? [Term, Owner] : [])]];
    await this.#session.run(
      isThere
        ? this.#sets.update(this.#table, this.#key, this.#values, row)
        : this.#sets.insert(this.#table, [...this.#key, ...this.#values], row),
    );
  }
}

function columnsOf(table: Table, ...names: string[]): Column[] {
  return names.map((name) => {
    const column = table.columns.get(name);
    if (!column)
      throw new TidemarkError(
        'UNAVAILABLE',
        `table ${table.name} has no column ${name}; run EnsureSchema again`,
        { retryAfterMs: bounds.databaseRetryMs },
      );
    return column;
  });
}
