/** The rounds of the campaign with a real hub, and the verdict at their end. */
import type { Stack } from '../processes/stack.ts';
import { until } from '../until.ts';
import type { RealHub } from './hub-process.ts';
import { faultsOf, recordingOf, statesOf } from './judge.ts';
import { mend, type Round, roundsOf, strike, waitingIn, worsen } from './rounds.ts';
import type { Shown } from './states.ts';
import { Traffic } from './traffic.ts';

export type CampaignParts = {
  stack: Stack;
  hub: RealHub;
  line: (text: string) => void;
};

/** With the worker away for long, and then all of it to be delivered. */
const emptyMs = 120_000;

export class Campaign {
  readonly #parts: CampaignParts;
  readonly #traffic: Traffic;
  /** Runs that wait for a person since an earlier life of the hub. */
  #asked = new Set<string>();
  #waitedMost = 0;

  constructor(parts: CampaignParts) {
    this.#parts = parts;
    this.#traffic = new Traffic(parts.hub);
  }

  /** At least the fixed rounds, and until then. @returns what is wrong */
  async run(seed: number, endMs: number): Promise<string[]> {
    const { hub, line } = this.#parts;
    let rounds = 0;
    for (const round of roundsOf(seed)) {
      if (rounds >= 10 && Date.now() >= endMs) break;
      rounds += 1;
      const waited = await this.#round(round);
      line(
        `${String(rounds).padStart(4)}  worker ${round.worker.padEnd(6)} hub ${round.signal} ` +
          `beside it ${round.neighbour.padEnd(11)} ${round.seconds} s  ` +
          `${String(waited).padStart(6)} writes waited`,
      );
    }
    await hub.start();
    await this.#traffic.answer(this.#asked);
    await this.#empty();
    const faults = [...(await this.#verdict()), ...this.#traffic.notResumed];
    await hub.end('SIGTERM');
    return faults;
  }

  async #round(round: Round): Promise<number> {
    const { stack, hub } = this.#parts;
    await hub.start();
    await this.#traffic.answer(this.#asked);
    this.#asked = new Set([await this.#traffic.run('ask')]);
    await this.#traffic.begin();
    const partMs = (round.seconds * 1_000) / 3;
    await pause(partMs);
    await worsen(stack, round);
    await strike(stack, round, partMs / 2);
    await pause(partMs * 2);
    const waited = await waitingIn(hub);
    this.#waitedMost = Math.max(this.#waitedMost, waited);
    await hub.end(round.signal);
    await this.#traffic.end();
    await mend(stack, round);
    return waited;
  }

  async #empty(): Promise<void> {
    const { stack, hub } = this.#parts;
    await until('nothing waits in the hub', async () => (await waitingIn(hub)) === 0, {
      deadlineMs: emptyMs,
    });
    await stack.drained(emptyMs);
  }

  async #verdict(): Promise<string[]> {
    const { stack, hub, line } = this.#parts;
    const recording = recordingOf(hub.recording);
    const states = statesOf(recording);
    const shown = await hub.get<Shown[]>('/Manifest');
    const faults = faultsOf(recording, stack.backendPath, stack.hubId);
    const seen = new Set(shown.map(({ Hash }) => Hash));
    for (const { Hash, Status } of shown)
      if (states.get(Hash)?.has(Status) !== true)
        faults.push(
          `run ${Hash} shows ${Status} instead of ${[...(states.get(Hash) ?? ['nothing'])].join(' or ')}`,
        );
    for (const Hash of states.keys()) if (!seen.has(Hash)) faults.push(`run ${Hash} is not shown`);
    const { made } = this.#traffic;
    line(
      `\n${hub.lives} lives of the hub, ${recording.calls.length} calls of its bridges, ` +
        `${recording.unreturned.size} of them cut by a signal\n` +
        `${made.items} items (${made.completed} completed), ${made.runs} runs, ` +
        `${shown.length} shown, ${made.resumed} that waited went on after a restart\n` +
        `at most ${this.#waitedMost} writes waited in the hub when it was ended`,
    );
    return faults;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
