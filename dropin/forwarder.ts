/**
 * The two ways of a bridge: writes go into the outbox and from there to the worker, reads to the
 * worker and over what still waits here.
 */
import {
  createHubClient,
  type HubClient,
  type HubHeaders,
  type WriteStamp,
} from '../contracts/client.ts';
import { Sender } from '../contracts/client/sender.ts';
import { guidMaker, systemStamps } from '../contracts/client/stamps.ts';
import { TidemarkError } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/body/json-value.ts';
import { limits } from '../contracts/limits.ts';
import type { ReadReply, WriteReply } from '../contracts/reply.ts';
import { type Lane, services } from '../contracts/subjects.ts';
import { Absence } from './absence.ts';
import type { BridgeSettings } from './config.ts';
import type { Waiting } from './waiting/hub-file.ts';
import type { HubLog } from './hub-services.ts';
import { Link } from './link.ts';
import { Outbox } from './waiting/outbox.ts';
import { type FileStatus, WaitingFile } from './waiting/opening.ts';

export type Client = HubClient<HubHeaders>;

export type Read = {
  /** Writes of this key come first; all of them where it is a list. */
  key?: string;
  send: (client: Client) => Promise<ReadReply>;
  /** The worker's answer, or one with nothing in it, with what waits here put over it. */
  over: (reply: JsonObject, waiting: readonly Waiting[]) => JsonObject;
};

export type ForwarderEvents = {
  onStatus: (status: JsonObject) => void;
  onAway: (reason: string) => void;
};

export class Forwarder {
  readonly link: Link;
  readonly #settings: BridgeSettings;
  readonly #outbox: Outbox;
  readonly #file: WaitingFile;
  readonly #absence: Absence;
  readonly #sender: Sender<HubHeaders>;
  readonly #writer: Client;
  readonly #reader: Client;
  readonly #stamp: WriteStamp;
  /** The last write of each key that is not answered; reads of the key come behind it. */
  readonly #unanswered = new Map<string, Promise<unknown>>();

  constructor(
    lane: Lane,
    settings: BridgeSettings,
    log: HubLog | undefined,
    events: ForwarderEvents,
  ) {
    this.#settings = settings;
    this.#stamp = settings.RemoteUser === undefined ? {} : { RemoteUser: settings.RemoteUser };
    const say = (line: string) => `Tidemark ${lane} bridge of hub ${settings.HubID}: ${line}`;
    const warn = (line: string) => log?.warn(say(line));
    this.#outbox = new Outbox({
      send: (action, envelope) => this.#sender.send(lane, action, envelope),
      giveUpMs: settings.GiveUpMs,
      writesMax: settings.WritesMax,
      charsMax: settings.WriteCharsMax,
      warn,
    });
    this.#file = new WaitingFile(lane, settings, warn, (file) => this.#outbox.begin(file));
    this.#absence = new Absence({
      served: () => this.link.named(services.worker, 'hub'),
      waiting: () => `${this.unanswered} writes wait ${this.#file.where}`,
      info: (line) => log?.info(say(line)),
      warn,
    });
    this.link = new Link(settings, {
      onStatus: (status) => {
        this.#absence.heard();
        this.#outbox.open();
        this.#outbox.expire('the worker took too long to answer');
        events.onStatus(status);
      },
      onAway: (reason, isUnserved) => {
        this.#outbox.shut();
        this.#outbox.expire(`the worker did not answer for too long: ${reason}`);
        this.#absence.away(reason, isUnserved);
        events.onAway(reason);
      },
      onDoubt: () => this.#outbox.shut(),
      onEnd: (reason) => {
        this.#file.end();
        this.#outbox.end(reason);
      },
    });
    const { HubID: hub, TimeoutMs } = settings;
    const about = { connection: this.link, headers: this.link.headers, hub };
    const newGuid = guidMaker(systemStamps);
    const encoding = 'msgpack';
    this.#sender = new Sender({ ...about, encoding, timeoutMs: limits.clientTimeoutMs, newGuid });
    this.#writer = createHubClient({ ...about, keep: (write) => this.#outbox.keep(write) });
    this.#reader = createHubClient({
      ...about,
      timeoutMs: TimeoutMs,
      retry: { giveUpMs: TimeoutMs, longestMs: limits.dropinProbeMs },
    });
  }

  /** Writes called and not answered, those of the process before among them. */
  get unanswered(): number {
    return this.#outbox.unanswered;
  }

  get file(): FileStatus {
    return this.#file.status;
  }

  /** Sends a write; `send` copies the arguments before it returns. */
  write(
    key: string,
    send: (client: Client, stamp: WriteStamp) => Promise<WriteReply>,
  ): Promise<WriteReply> {
    const answered: Promise<WriteReply> = send(this.#writer, this.#stamp).finally(() => {
      if (this.#unanswered.get(key) === answered) this.#unanswered.delete(key);
    });
    this.#unanswered.set(key, answered);
    return answered;
  }

  /**
   * Reads, behind what this process wrote to that key.
   * @throws TidemarkError UNAVAILABLE at once when nobody answers and nothing waits here
   */
  async read({ key, send, over }: Read): Promise<JsonObject> {
    if (!this.#absence.isKnown) {
      const before = key === undefined ? undefined : this.#unanswered.get(key);
      if (before) await this.#absence.unlessKnown(this.#atMost(before));
      const earlier = this.#outbox.waiting(key);
      const reply = await this.#absence.unlessKnown(send(this.#reader));
      if (reply) return over(reply as JsonObject, inOrder(earlier, this.#outbox.waiting(key)));
    }
    const waiting = this.#outbox.waiting(key);
    if (waiting.length === 0) throw new TidemarkError('UNAVAILABLE', this.#absence.reason);
    const AsOf = new Date(systemStamps.nowMs()).toISOString();
    return over({ Available: true, Success: true, Source: 'hub', AsOf }, waiting);
  }

  /** Waits for a write as long as for a read, whatever becomes of it. */
  async #atMost(write: Promise<unknown>): Promise<void> {
    const late = systemStamps.sleep(this.#settings.TimeoutMs);
    await Promise.race([write.catch(() => undefined), late]);
  }

  /**
   * Waits until every write is answered, at most so long, and lets go of the bus and the file.
   * @returns writes given up; those in the file are sent by the next process
   */
  async close(waitMs: number): Promise<number> {
    const endMs = systemStamps.nowMs() + waitMs;
    while (this.unanswered > 0 && systemStamps.nowMs() < endMs) await systemStamps.sleep(10);
    const left = this.unanswered;
    await this.link.close();
    return left;
  }
}

/** What waited before a read or does after it, once each. */
function inOrder(earlier: readonly Waiting[], later: readonly Waiting[]): readonly Waiting[] {
  if (earlier.length === 0) return later;
  const ids = new Set(earlier.map(({ id }) => id));
  return [...earlier, ...later.filter(({ id }) => !ids.has(id))];
}
