/**
 * Facts of a server's tables and the shapes of mutations, kept until the schema changes or a
 * mutation says that it did.
 */
import { TidemarkError } from '../../../contracts/errors.ts';
import type { MutationResult, RowMutation } from '../../../contracts/mutation.ts';
import { bounds } from '../../bounds.ts';
import type { DefaultObject, TableInfo } from '../../engine/engine.ts';
import { isProblem, type Shape, shapeOf, signatureOf } from '../../engine/mutation-shape.ts';
import { type Table, toTable } from '../../engine/table.ts';

type Defaults = ReadonlyMap<string, DefaultObject>;

export class Shapes {
  readonly #tables = new Map<string, TableInfo | null>();
  readonly #shapes = new Map<string, Shape | MutationResult>();
  #defaults: Defaults = new Map();

  /** Names of which nothing is known yet. */
  missing(names: Iterable<string>): string[] {
    return [...new Set(names)].filter((name) => !this.#tables.has(name));
  }

  /** Facts of these names as of now; a name without a table is remembered too. */
  learn(names: readonly string[], infos: readonly TableInfo[]): void {
    if (this.#tables.size + names.length > bounds.tablesMax) this.#forget();
    for (const name of names)
      this.#tables.set(name, infos.find((info) => info.name === name) ?? null);
  }

  #forget(): void {
    this.#tables.clear();
    this.#shapes.clear();
  }

  /** A table by its exact name; null when there is none. */
  table(name: string): Table | null {
    const info = this.#tables.get(name);
    return info ? toTable(info, this.#defaults.get(name)) : null;
  }

  /**
   * What a mutation needs, or why it cannot be.
   * @throws TidemarkError UNAVAILABLE when the table lacks what EnsureSchema gave it
   */
  of(mutation: RowMutation, defaults: Defaults): Shape | MutationResult {
    if (defaults !== this.#defaults) {
      this.#shapes.clear();
      this.#defaults = defaults;
    }
    const signature = signatureOf(mutation);
    const known = this.#shapes.get(signature);
    if (known) return known;
    if (this.#shapes.size >= bounds.statementsMax) this.#shapes.clear();
    const made = this.#make(mutation);
    this.#shapes.set(signature, made);
    return made;
  }

  #make(mutation: RowMutation): Shape | MutationResult {
    if (!this.#tables.has(mutation.Table))
      throw new TidemarkError('UNAVAILABLE', `table ${mutation.Table} is to be looked at again`, {
        retryAfterMs: bounds.databaseRetryMs,
      });
    const shape = shapeOf(mutation, this.table(mutation.Table));
    if (!isProblem(shape)) return shape;
    if (!shape.isSchemaGap || !this.#defaults.has(mutation.Table))
      return { Outcome: 'rejected', Reason: shape.reason.slice(0, bounds.reasonCharsMax) };
    throw new TidemarkError('UNAVAILABLE', `${shape.reason}; run EnsureSchema again`, {
      retryAfterMs: bounds.databaseRetryMs,
    });
  }
}
