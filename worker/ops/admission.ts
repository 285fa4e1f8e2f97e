/**
 * Decides which operations may run: checks their files, requirements and order, and the skips set
 * by the environment and by operators.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { type Candidate, flagOf, loadOperations } from './files.ts';
import type { Runnable } from './operation.ts';
import { shippedOperations } from './shipped.ts';
import { isSkipInForce, type Standing } from './standing.ts';

/**
 * Skips set by the environment: flags of single operations, and a time until which all are skipped.
 */
export type SkipSettings = { flags: readonly string[]; allUntilMs: number | null };

export class Admission {
  readonly #folder: string;
  readonly #skips: SkipSettings;
  readonly #clock: Clock;

  /** @param folder the folder of the operator's files */
  constructor({ folder, skips, clock }: { folder: string; skips: SkipSettings; clock: Clock }) {
    this.#folder = folder;
    this.#skips = skips;
    this.#clock = clock;
  }

  /**
   * @throws TidemarkError INVALID_MESSAGE when an operation cannot be loaded, or requires one that
   * is missing or sorts after it
   */
  async load(open: readonly Standing[], all: readonly Standing[]): Promise<Runnable[]> {
    const loaded = await loadOperations(open.map((one) => one.file as Candidate));
    const known = new Set(all.map((one) => one.id));
    for (const { id, operation } of loaded) {
      if (shippedOperations.has(id))
        throw new TidemarkError(
          'INVALID_MESSAGE',
          `operation ${id} has the name of a shipped operation; rename its file`,
        );
      for (const required of operation.requires) {
        if (!known.has(required))
          throw new TidemarkError(
            'INVALID_MESSAGE',
            `operation ${id} requires ${required}, which does not exist`,
          );
        if (required >= id)
          throw new TidemarkError(
            'INVALID_MESSAGE',
            `operation ${id} requires ${required}, which sorts after it; rename one of them`,
          );
      }
    }
    return loaded;
  }

  /** Whether the environment currently skips all operations. */
  areAllSkipped(): boolean {
    return (this.#skips.allUntilMs ?? 0) > this.#clock.nowMs();
  }

  /**
   * Why an operation is skipped: by an operator, by its flag, or because one it requires is. Null
   * when it is not skipped.
   */
  whySkipped(
    { id, marker }: Standing,
    { operation }: Runnable,
    skippedIds: ReadonlySet<string>,
  ): string | null {
    const parent = operation.requires.find((one) => skippedIds.has(one));
    if (parent !== undefined) return `it requires ${parent}, which is skipped`;
    if (isSkipInForce(marker, this.#clock.nowMs()))
      return `${marker?.note ?? ''} (until ${isoOf(marker?.untilMs ?? 0)})`;
    const flag = flagOf(id);
    return operation.isSkippable && this.#skips.flags.includes(flag)
      ? `TIDEMARK_SKIP_OP_${flag}=1`
      : null;
  }

  /**
   * Loads the operator's operation with that id, and checks that what it requires is applied.
   * @throws TidemarkError NOT_FOUND, INVALID_MESSAGE
   */
  async pick(
    id: string,
    all: readonly Standing[],
  ): Promise<{ standing: Standing; runnable: Runnable }> {
    const standing = all.find((one) => one.id === id);
    if (!standing?.file)
      throw new TidemarkError(
        'NOT_FOUND',
        `there is no operation ${id}; shipped ones are ` +
          `${[...shippedOperations.keys()].join(', ')}, others come from ${this.#folder}`,
      );
    if (standing.state === 'applied')
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} was applied ${isoOf(standing.marker?.endedMs ?? 0)} by ` +
          `${standing.marker?.by}; a change needs a new operation`,
      );
    const [runnable] = await this.load([standing], all);
    const open = new Set(all.filter((one) => one.state !== 'applied').map((one) => one.id));
    const missing = runnable?.operation.requires.find((one) => open.has(one));
    if (missing !== undefined)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} requires ${missing}, which is not applied`,
      );
    return { standing, runnable: runnable as Runnable };
  }

  /**
   * Loads the operation to be skipped until a time.
   * @throws TidemarkError INVALID_MESSAGE, NOT_FOUND
   */
  async skippable(
    id: string,
    all: readonly Standing[],
    { reason, untilMs, nowMs }: { reason: string; untilMs: number; nowMs: number },
  ): Promise<Runnable> {
    const standing = all.find((one) => one.id === id && one.file);
    if (!standing)
      throw new TidemarkError('NOT_FOUND', `there is no operation ${id} in ${this.#folder}`);
    if (standing.state === 'applied')
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} is applied; there is nothing to skip`,
      );
    if (reason.trim() === '') throw new TidemarkError('INVALID_MESSAGE', 'a skip needs a reason');
    if (!(untilMs > nowMs))
      throw new TidemarkError(
        'INVALID_MESSAGE',
        'a skip needs a time in the future at which it ends',
      );
    const [runnable] = await this.load([standing], all);
    if (!runnable?.operation.isSkippable)
      throw new TidemarkError(
        'INVALID_MESSAGE',
        `operation ${id} is not skippable; its file says so with: export const isSkippable = true`,
      );
    return runnable;
  }
}

/** Why a pending operation does not run by itself; null when it does. */
export function waitsFor(
  { lateBehind, sameAs, id }: Standing,
  { isAnyOrder }: { isAnyOrder?: boolean },
): string | null {
  if (sameAs !== null)
    return (
      `it has the same content as ${sameAs}, which was applied; was the file renamed? To run ` +
      `it anyway: tidemark ops run ${id}`
    );
  if (lateBehind !== null && !isAnyOrder)
    return `it sorts before ${lateBehind}, which is already applied; to run it anyway: --allow-out-of-order`;
  return null;
}
