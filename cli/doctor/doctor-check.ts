/** The result of one check: whether all is well, what was found, and what to do about it. */

/** `Do` is advice for the reader; empty when there is nothing to do. */
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
 * For sizes and modes of files that may be missing or unreadable; the check of the store reports
 * that.
 */
export function lookAt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
