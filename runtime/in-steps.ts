/** Works through a long list with a turn of the event loop between steps, so that answers go out. */
import { nextTurn } from './clock.ts';

/** What `work` makes of each item, in order; `step` of them in one turn. */
export async function inSteps<T, R>(
  items: readonly T[],
  step: number,
  work: (item: T) => R,
): Promise<R[]> {
  const made: R[] = [];
  for (const [at, item] of items.entries()) {
    if (at > 0 && at % step === 0) await nextTurn();
    made.push(work(item));
  }
  return made;
}
