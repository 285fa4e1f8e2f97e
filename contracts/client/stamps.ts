/**
 * Time and randomness for the hub client. Nothing else under contracts/ reads them; tests provide
 * their own.
 */

/** What the client needs from its environment besides the bus. */
export type Stamps = {
  /** Wall clock, milliseconds. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** At least 0, below 1. */
  random(): number;
  /** `count` random bytes. */
  randomBytes(count: number): Uint8Array;
};

/** The real clock and random source. */
export const systemStamps: Stamps = {
  nowMs: () => Date.now(),
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
  random: () => Math.random(),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};

/**
 * Up to this many GUIDs of one millisecond stay in order; further ones use the next millisecond.
 */
const perMs = 0x1000;

/**
 * Makes UUIDs of version 7: ordered by time, so that writes made together are neighbours in an
 * index.
 */
export function guidMaker(stamps: Stamps): () => string {
  let lastMs = 0;
  let count = 0;
  return () => {
    const nowMs = stamps.nowMs();
    if (nowMs > lastMs) {
      lastMs = nowMs;
      count = 0;
    } else if (++count >= perMs) {
      lastMs += 1;
      count = 0;
    }
    return guidOf(lastMs, count, stamps.randomBytes(8));
  };
}

function guidOf(ms: number, count: number, tail: Uint8Array): string {
  tail[0] = ((tail[0] ?? 0) & 0x3f) | 0x80;
  const time = ms.toString(16).padStart(12, '0');
  const rest = Buffer.from(tail).toString('hex');
  const counter = count.toString(16).padStart(3, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter}-${rest.slice(0, 4)}-${rest.slice(4)}`;
}
