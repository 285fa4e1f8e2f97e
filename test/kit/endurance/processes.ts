/**
 * The same on real processes: a bus, a worker that keeps little and not for long, and a databeacon,
 * with writes as fast as they are taken and delivered; a row for each tenth of the time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { forgetPeak, peakOf } from '../hostile/memory.ts';
import { Stack } from '../processes/stack.ts';
import { valueIn, valuesIn } from '../exposition.ts';
import { Traffic } from './traffic.ts';

/** The most of a tenth of the time. */
export type Tenth = {
  part: number;
  written: number;
  journalBytes: number;
  knownItems: number;
  memoryBytes: number;
  pending: number;
  loopDelayMs: number;
  acceptedPerSecond: number;
  refused: number;
};

/** Requests in flight, items of each, and undelivered writes above which senders wait. */
const inFlight = 4;
const itemsOfRequest = 100;
const pendingMost = 20_000;
const lookMs = 1_000;

export class ProcessEndurance {
  readonly #stack: Stack;
  readonly #traffic: Traffic;
  #written = 0;
  #refused = 0;
  #pending = 0;
  #isOver = false;

  private constructor(stack: Stack, seed: number) {
    this.#stack = stack;
    this.#traffic = new Traffic(seed, () => Date.now());
  }

  /** Bodies are kept for a thirtieth of the time, EventGUIDs for a sixth. */
  static async run(
    seconds: number,
    seed: number,
    onTenth: (tenth: Tenth) => void,
  ): Promise<{ tenths: Tenth[]; difference: number }> {
    const part = (share: number) => `${Math.max(1, Math.round(seconds * share))}s`;
    const workerArgs = ['--retain-for', part(1 / 30), '--dedup-for', part(1 / 6)];
    await using stack = await Stack.start({ workerArgs });
    const endurance = new ProcessEndurance(stack, seed);
    const senders = Array.from({ length: inFlight }, () => endurance.#send());
    const tenths: Tenth[] = [];
    for (let part = 1; part <= 10; part++) {
      const tenth = await endurance.#tenth(part, seconds * 100);
      tenths.push(tenth);
      onTenth(tenth);
    }
    endurance.#isOver = true;
    await Promise.all(senders);
    const { Balance } = await stack.drained(120_000);
    const difference = Math.abs(Balance.queue.Difference) + Math.abs(Balance.manifest.Difference);
    return { tenths, difference };
  }

  async #send(): Promise<void> {
    while (!this.#isOver) {
      if (this.#pending > pendingMost) {
        await sleep(50);
        continue;
      }
      const sent = Array.from({ length: itemsOfRequest }, () => this.#traffic.next());
      for (const lane of ['queue', 'manifest'] as const) {
        const Items = sent.filter((one) => one.lane === lane).map(({ item }) => item);
        if (Items.length > 0) await this.#request(`tidemark.hub1.${lane}.batch`, Items);
      }
    }
  }

  async #request(subject: string, Items: object[]): Promise<void> {
    const reply = await this.#stack.hub.request(subject, JSON.stringify({ Items }), {
      'Content-Type': 'application/json',
    });
    const text = new TextDecoder().decode(reply.data);
    const { Results = [] } = JSON.parse(text) as { Results?: { Success: boolean }[] };
    const accepted = Results.filter((one) => one.Success).length;
    this.#written += accepted;
    this.#refused += Items.length - accepted;
  }

  async #tenth(part: number, ms: number): Promise<Tenth> {
    forgetPeak(this.#stack.worker.pid);
    const [fromMs, before] = [performance.now(), this.#written];
    const most = { journalBytes: 0, knownItems: 0, memoryBytes: 0, pending: 0, loopDelayMs: 0 };
    while (performance.now() - fromMs < ms) {
      const seen = await this.#look();
      for (const name of Object.keys(most) as (keyof typeof most)[])
        most[name] = Math.max(most[name], seen[name]);
      await sleep(lookMs);
    }
    const seconds = (performance.now() - fromMs) / 1_000;
    const acceptedPerSecond = Math.round((this.#written - before) / seconds);
    return { part, written: this.#written, refused: this.#refused, acceptedPerSecond, ...most };
  }

  async #look() {
    const response = await fetch(`${this.#stack.httpUrl}/metrics`);
    const text = await response.text();
    const value = (name: string) => valueIn(text, `tidemark_${name}`) ?? 0;
    this.#pending = valuesIn(text, 'tidemark_buffer_size_items').reduce((a, b) => a + b, 0);
    return {
      journalBytes: value('journal_size_bytes'),
      knownItems: value('dedup_known_items'),
      memoryBytes: peakOf(this.#stack.worker.pid),
      pending: this.#pending,
      loopDelayMs: value('event_loop_delay_longest_seconds') * 1_000,
    };
  }
}

/** Shorter runs say nothing: what is kept has not been let go of often enough. */
const secondsToJudge = 1_200;

/** What grew from the third tenth on; null for a run that is too short to say. */
export function grownIn(tenths: readonly Tenth[], seconds: number): string[] | null {
  if (seconds < secondsToJudge) return null;
  const steady = tenths.slice(2);
  return (['journalBytes', 'knownItems', 'memoryBytes'] as const).flatMap((name) => {
    const [first = 0, ...later] = steady.map((tenth) => tenth[name]);
    const most = Math.max(...later);
    return most <= 1.1 * first ? [] : [`${name}: ${first} in the third tenth, up to ${most} after`];
  });
}
