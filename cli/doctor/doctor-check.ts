/** One thing that was looked at: whether it is well, what was found, and what to do about it. */

/** `Do` is for whoever reads it; empty when there is nothing to do. */
export type Check = { Name: string; Level: 'ok' | 'warn' | 'fail'; What: string; Do: string };

export const ok = (Name: string, What: string): Check => ({ Name, Level: 'ok', What, Do: '' });
export const warn = (Name: string, What: string, Do: string): Check => ({
  Name,
  Level: 'warn',
  What,
  Do,
});
export const fail = (Name: string, What: string, Do: string): Check => ({
  Name,
  Level: 'fail',
  What,
  Do,
});

/**
 * Sizes and modes of files that may not be there or not be ours to look at; that is told by the
 * check of the store.
 */
export function lookAt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
