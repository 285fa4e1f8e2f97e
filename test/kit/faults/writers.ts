/**
 * Writes of a hub that each leave a row of their own, so that each can be looked for; keeps which
 * were answered.
 */
import type { TestHub } from '../processes/hub.ts';
import { ManualClock } from '../manual-clock.ts';
import { guidOf } from '../rows/trace.ts';

/** An accepted write and where its row is to be found. */
export type AnsweredWrite = {
  guid: string;
  seq: number;
  table: 'UVQueueWorkItem' | 'UVQueueWorkItemEvent' | 'UVManifest';
  column: string;
  value: string;
};

const noteBytesMax = 3_000;
/** Writes asked for in a row without a pause in between would be all there is to the machine. */
const pauseMs = 2;

export class Writers {
  readonly #hub: TestHub;
  readonly #random: ManualClock;
  #next = 0;
  #isOn = false;
  #running: Promise<unknown> = Promise.resolve();
  readonly answered: AnsweredWrite[] = [];
  /** What became of writes that were not accepted. */
  readonly refused: string[] = [];

  constructor(hub: TestHub, seed: number) {
    this.#hub = hub;
    this.#random = new ManualClock(0, seed);
  }

  /** So many writes, `width` at a time. */
  async write(count: number, width = 16): Promise<void> {
    let left = count;
    await Promise.all(
      Array.from({ length: width }, async () => {
        while (left-- > 0) await this.#one();
      }),
    );
  }

  /** Writes on and on until stopped. */
  start(width = 8): void {
    this.#isOn = true;
    this.#running = Promise.all(
      Array.from({ length: width }, async () => {
        while (this.#isOn) {
          await this.#one();
          await new Promise((resolve) => {
            setTimeout(resolve, pauseMs);
          });
        }
      }),
    );
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** No further ones; waits for answers to those that are out. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#running;
  }

  async #one(): Promise<void> {
    const name = `cell-${this.#next++}`;
    const EventGUID = guidOf(name);
    const kind = this.#random.random();
    const Note = 'x'.repeat(Math.floor(this.#random.random() * noteBytesMax));
    const { client } = this.#hub;
    const common = { guid: EventGUID };
    try {
      if (kind < 0.5) {
        const { Seq } = await client.appendEvent(
          { WorkItemHash: `wi-${this.#next % 7}`, EventType: 'x', EventGUID, Note },
          { EventGUID },
        );
        this.answered.push({
          ...common,
          seq: Seq,
          table: 'UVQueueWorkItemEvent',
          column: 'EventGUID',
          value: EventGUID,
        });
      } else if (kind < 0.8) {
        const { Seq } = await client.upsertWorkItem({ WorkItemHash: name, Note }, { EventGUID });
        this.answered.push({
          ...common,
          seq: Seq,
          table: 'UVQueueWorkItem',
          column: 'WorkItemHash',
          value: name,
        });
      } else {
        const { Seq } = await client.upsertManifest({ Hash: name, Note }, { EventGUID });
        this.answered.push({
          ...common,
          seq: Seq,
          table: 'UVManifest',
          column: 'Hash',
          value: name,
        });
      }
    } catch (error) {
      this.refused.push(String(error));
    }
  }
}
