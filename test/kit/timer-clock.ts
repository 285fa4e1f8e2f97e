/** What a clock of tests makes of its timers: repeating, and sleeping. */

/** Calls back once after `ms`; the returned function takes it back. */
export type Timer = (ms: number, run: () => void) => () => void;

export function everyOn(timer: Timer, ms: number, run: () => void): () => void {
  let cancel = () => {};
  const again = () => {
    cancel = timer(ms, again);
    run();
  };
  cancel = timer(ms, again);
  return () => cancel();
}

/** Ends at once when the signal is aborted. */
export function sleepOn(timer: Timer, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const cancel = timer(ms, resolve);
    signal?.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}
