/**
 * Row mutations as a few statements over many rows each, in the caller's transaction; one by one
 * only where something is refused.
 */
import type { ApplyOutputs } from '../../../contracts/capability.ts';
import { bounds } from '../../bounds.ts';
import { type ApplyBatch, markTable, StatementFault } from '../../engine/engine.ts';
import { insistOnMark, markAfter, skipThrough, takesEffect } from '../../engine/mark-rule.ts';
import type { Fault, Savepoint, Session, SetStatements } from './dialect.ts';
import { LotWriter } from './lot-writer.ts';
import { ServerMark } from './mark.ts';
import { alreadyPresent, Outcomes } from './outcomes.ts';
import { type Item, itemOf, lotsOf, NewRows } from './rows.ts';
import type { Shapes } from './shapes.ts';

/**
 * A statement over many rows was refused: the transaction is to be done again with savepoints, to
 * learn which row it was.
 */
export class RefusedLot extends Error {}

export type ApplierOptions = {
  session: Session;
  sets: SetStatements;
  savepoint: Savepoint;
  shapes: Shapes;
  faultOf: (error: unknown) => Fault;
  /** With savepoints, so that what is refused can be told. */
  isCareful: boolean;
};

export class SetApplier {
  readonly #options: ApplierOptions;
  readonly #outcomes = new Outcomes();
  readonly #writer: LotWriter;

  /** @param now what rows are stamped with */
  constructor(options: ApplierOptions, now: string) {
    const { session, sets } = options;
    this.#options = options;
    this.#writer = new LotWriter(session, sets, this.#outcomes, now);
  }

  /**
   * A whole batch with its mark row; the caller takes it back when `IsCommitted` is false.
   * @throws RefusedLot unless it is careful
   */
  async apply(batch: ApplyBatch): Promise<ApplyOutputs> {
    const { session, sets, shapes } = this.#options;
    const serverMark = new ServerMark(session, sets, shapes.table(markTable));
    const stored = await serverMark.read(batch);
    insistOnMark(batch, stored);
    for (const lot of lotsOf(this.#itemsOf(batch, skipThrough(batch, stored))))
      for (const part of this.#cut(lot)) await this.#lot(part);
    const results = this.#outcomes.all(batch.mutations.length);
    if (!takesEffect(batch, results)) return { Results: results, IsCommitted: false, Mark: stored };
    const mark = markAfter(batch, stored);
    if (mark !== null && mark !== stored) await serverMark.write(batch, mark, stored !== null);
    return { Results: results, IsCommitted: true, Mark: mark };
  }

  /** The mutations that are to be done: behind `skipped`, and of a shape the tables can take. */
  #itemsOf({ mutations, defaults }: ApplyBatch, skipped: number): Item[] {
    const items: Item[] = [];
    mutations.forEach((mutation, at) => {
      const shape =
        mutation.Seq <= skipped ? alreadyPresent : this.#options.shapes.of(mutation, defaults);
      if ('Outcome' in shape) this.#outcomes.set(at, shape);
      else this.#outcomes.attempt(at, () => void items.push(itemOf(at, mutation, shape)));
    });
    return items;
  }

  /** Lots as large as one statement takes, by rows and by the text in them. */
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

  /** One lot; when it is refused, its halves, down to the row that was. */
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

  /** A row of nobody's in its place is adopted, and the mutation tried again. */
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
