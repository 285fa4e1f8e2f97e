/**
 * Applies row mutations with a few statements over many rows each, in the caller's transaction; row
 * by row only where something is refused.
 */
import { alreadyPresent } from '../../../contracts/row-guard.ts';
import type { ApplyOutputs } from '../../../contracts/capability.ts';
import type { RowMutation } from '../../../contracts/mutation.ts';
import { bounds } from '../../bounds.ts';
import { type ApplyBatch, markTable, StatementFault } from '../../engine/engine.ts';
import {
  insistOnMark,
  insistOnOwner,
  markAfter,
  skippedBy,
  takesEffect,
} from '../../engine/mark-rule.ts';
import type { Fault, Savepoint, Session, SetStatements } from './dialect.ts';
import { LotWriter } from './lot-writer.ts';
import { ServerMark } from './mark.ts';
import { Outcomes } from './outcomes.ts';
import { type Item, itemOf, lotsOf, NewRows } from './rows.ts';
import type { Shapes } from './shapes.ts';

/**
 * A statement over many rows was refused. The transaction must be repeated with savepoints to find
 * the row.
 */
export class RefusedLot extends Error {}

export type ApplierOptions = {
  session: Session;
  sets: SetStatements;
  savepoint: Savepoint;
  shapes: Shapes;
  faultOf: (error: unknown) => Fault;
  /** Uses savepoints, to find out which row is refused. */
  isCareful: boolean;
};

export class SetApplier {
  readonly #options: ApplierOptions;
  readonly #outcomes = new Outcomes();
  readonly #writer: LotWriter;

  /** @param now time stamped on the rows */
  constructor(options: ApplierOptions, now: string) {
    const { session, sets } = options;
    this.#options = options;
    this.#writer = new LotWriter(session, sets, this.#outcomes, now);
  }

  /**
   * Applies a whole batch with its mark row; the caller rolls back when `IsCommitted` is false.
   * @throws RefusedLot unless `isCareful`
   */
  async apply(batch: ApplyBatch): Promise<ApplyOutputs> {
    const { session, sets, shapes } = this.#options;
    const serverMark = new ServerMark(session, sets, shapes.table(markTable));
    const stored = await serverMark.read(batch);
    insistOnOwner(batch, stored);
    insistOnMark(batch, stored);
    for (const lot of lotsOf(this.#itemsOf(batch, skippedBy(batch, stored))))
      for (const part of this.#cut(lot)) await this.#lot(part);
    const results = this.#outcomes.all(batch.mutations.length);
    if (!takesEffect(batch, results)) return { Results: results, IsCommitted: false, Mark: stored };
    const mark = markAfter(batch, stored);
    if (mark !== null && mark !== stored) await serverMark.write(batch, mark, stored !== null);
    return { Results: results, IsCommitted: true, Mark: mark };
  }

  /** The mutations to apply: those not skipped whose shape fits the tables. */
  #itemsOf(
    { mutations, defaults }: ApplyBatch,
    isSkipped: (mutation: RowMutation) => boolean,
  ): Item[] {
    const items: Item[] = [];
    mutations.forEach((mutation, at) => {
      const shape = isSkipped(mutation)
        ? alreadyPresent
        : this.#options.shapes.of(mutation, defaults);
      if ('Outcome' in shape) this.#outcomes.set(at, shape);
      else this.#outcomes.attempt(at, () => void items.push(itemOf(at, mutation, shape)));
    });
    return items;
  }

  /** Splits a lot into what one statement can take, by rows and by text size. */
  *#cut(lot: readonly Item[]): Generator<Item[]> {
    const rowsMax = this.#options.sets.rowsMax(new NewRows(lot).columns.length);
    let part: Item[] = [];
    let chars = 0;
    for (const item of lot) {
      const size = charsOf(item);
      if (part.length > 0 && (part.length >= rowsMax || chars + size > bounds.statementChars)) {
        yield part;
        [part, chars] = [[], 0];
      }
      part.push(item);
      chars += size;
    }
    if (part.length > 0) yield part;
  }

  /** Writes one lot; when it is refused, its halves, down to the refused row. */
  async #lot(lot: Item[]): Promise<void> {
    const { session, savepoint, isCareful, faultOf } = this.#options;
    if (isCareful) await session.run({ sql: savepoint.set, parameters: [] });
    try {
      await this.#writer.write(lot);
    } catch (error) {
      const fault = faultOf(error);
      if (!(fault instanceof StatementFault)) throw error;
      if (!isCareful) throw new RefusedLot(fault.message, { cause: error });
      await session.run({ sql: savepoint.rollback, parameters: [] });
      const [first] = lot;
      if (first && lot.length === 1) return this.#refused(first, fault);
      const middle = Math.ceil(lot.length / 2);
      await this.#lot(lot.slice(0, middle));
      await this.#lot(lot.slice(middle));
    }
  }

  /** If a row without a hub is in the way, adopts it and tries the mutation again. */
  async #refused(item: Item, fault: StatementFault): Promise<void> {
    if (fault.kind === 'unique' && (await this.#writer.adopt(item))) return this.#lot([item]);
    this.#outcomes.reject(item.at, fault.message);
  }
}

function charsOf({ mutation }: Item): number {
  let chars = 0;
  for (const values of [mutation.Set, mutation.Merge ?? {}])
    for (const value of Object.values(values)) {
      chars +=
        typeof value === 'string'
          ? value.length
          : typeof value === 'object'
            ? JSON.stringify(value).length
            : 8;
    }
  return chars;
}
