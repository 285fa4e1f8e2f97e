/**
 * Waits for a condition with a deadline; the error says what was waited for. Real time, so it is
 * for tests with real processes.
 */

/** Default deadline: long enough for two loaded cores, short enough to fail a suite in time. */
const deadlineMsDefault = 20_000;

/**
 * Asks again and again until the answer is truthy, and returns it. An error of `ask` counts as "not
 * yet" and is told when time is up.
 * @throws Error naming `what` after the deadline.
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  options: { deadlineMs?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const { deadlineMs = deadlineMsDefault, everyMs = 25 } = options;
  const end = Date.now() + deadlineMs;
  for (;;) {
    let last: unknown;
    try {
      const answer = await ask();
      if (answer) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end)
      throw new Error(
        `not within ${deadlineMs} ms: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`,
      );
    await new Promise((resolve) => {
      setTimeout(resolve, everyMs);
    });
  }
}
