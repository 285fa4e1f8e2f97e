/**
 * What lets an operation run, and what keeps it from running: its file, what it requires, the
 * skips of the environment and of operators, its place among the others.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { type Candidate, flagOf, loadOperations } from './files.ts';
import type { Runnable } from './operation.ts';
import { shippedOperations } from './shipped.ts';
import { isSkipInForce, type Standing } from './standing.ts';

/** What the environment leaves out: flags of single operations, and all of them until a time. */
export type SkipSettings = { flags: readonly string[]; allUntilMs: number | null };

export class Admission {
  readonly #folder: string;
  readonly #skips: SkipSettings;
  readonly #clock: Clock;

  /** @param folder of the operator's files */
  constructor({ folder, skips, clock }: { folder: string; skips: SkipSettings; clock: Clock }) {
    this.#folder = folder;
    this.#skips = skips;
    this.#clock = clock;
  }

  /**
   * @throws TidemarkError INVALID_MESSAGE when one of them cannot be loaded, or requires what is
   * not there or sorts behind it
   */
  async load(open: readonly Standing[], all: readonly Standing[]): Promise<Runnable[]> {
    const loaded = await loadOperations(open.map((one) => one.file as Candidate));
    const known = new Set(all.map((one) => one.id));
    for (const { id, operation } of loaded) {
      if (shippedOperations.has(id))
        throw new TidemarkError(
          'INVALID_MESSAGE',
          `operation ${id} has the name of a shipped one; rename its file`,
        );
      for (const required of operation.requires) {
        if (!known.has(required))
          throw new TidemarkError(
            'INVALID_MESSAGE',
            `operation ${id} requires ${required}, which is not there`,
          );
        if (required >= id)
          throw new TidemarkError(
            'INVALID_MESSAGE',
            `operation ${id} requires ${required}, which comes behind it; rename one`,
          );
      }
    }
    return loaded;
  }

  /** Whether the environment leaves out all of them at this time. */
  areAllSkipped(): boolean {
    return (this.#skips.allUntilMs ?? 0) > this.#clock.nowMs();
  }

  /**
   * Why an operation is skipped, on somebody's word or with one it requires; null when it is not.
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
   * The operator's operation of that id, ready to run as far as it and what it requires go.
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
   * The one that is to be left out until a time.
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

/** What keeps a pending operation from running by itself; null when nothing does. */
export function waitsFor(
  { lateBehind, sameAs, id }: Standing,
  { isAnyOrder }: { isAnyOrder?: boolean },
): string | null {
  if (sameAs !== null)
    return (
      `it has the content of ${sameAs}, which was applied: a new name of the same? To run ` +
      `it nevertheless: tidemark ops run ${id}`
    );
  if (lateBehind !== null && !isAnyOrder)
    return `it comes before ${lateBehind}, which is applied already; to run it nevertheless: --allow-out-of-order`;
  return null;
}
