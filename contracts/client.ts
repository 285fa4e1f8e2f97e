/**
 * The hub's side of the contract, published as `tidemark/client`: one method per action, each write
 * stamped once and retried until it is accepted.
 */
import { type Action, keyOf, type WriteAction } from './actions.ts';
import {
  type AttemptFields,
  copyOf,
  type Fields,
  type ManifestFields,
  type ManifestFilter,
  type StampedWrite,
  textOf,
  type WorkItemFields,
  type WorkItemFilter,
  type WriteStamp,
} from './client/arguments.ts';
import { Batcher, type BatchOptions } from './client/batcher.ts';
import { KeyTurns } from './client/key-turns.ts';
import { retrying, type RetryOptions } from './client/retry.ts';
import { type HubConnection, type HubHeaders, Sender } from './client/sender.ts';
import { guidMaker, type Stamps, systemStamps } from './client/stamps.ts';
import type { Encoding } from './body/codec.ts';
import { isGuid } from './envelope.ts';
import type { JsonObject } from './body/json-value.ts';
import { limits } from './limits.ts';
import type { ReadReply, WriteReply } from './reply.ts';
import { isSubjectToken, type Lane } from './subjects.ts';

export type {
  AttemptFields,
  BatchOptions,
  Fields,
  HubConnection,
  HubHeaders,
  ManifestFields,
  ManifestFilter,
  RetryOptions,
  StampedWrite,
  Stamps,
  WorkItemFields,
  WorkItemFilter,
  WriteStamp,
};

export type HubClientOptions<Headers extends HubHeaders> = {
  /** A connection of the NATS client, 3.x or 2.x. It stays the caller's to drain and close. */
  connection: HubConnection<Headers>;
  /** The `headers` function of the same package. */
  headers: () => Headers;
  /** HubID. */
  hub: string;
  encoding?: Encoding;
  /** How long one answer is awaited before the write is sent again. */
  timeoutMs?: number;
  retry?: Partial<RetryOptions>;
  /** Collects writes of different keys into batch requests. */
  batch?: Partial<BatchOptions> | boolean;
  /**
   * Writes called and not answered that this client keeps, by number and by characters of their
   * JSON; more are refused as OVERLOADED.
   */
  waiting?: { writesMax?: number; charsMax?: number };
  /**
   * Takes each write, stamped, in place of sending it: for one who keeps writes before they leave,
   * and sends them himself. It is called before the method returns.
   */
  keep?: (write: StampedWrite) => Promise<JsonObject>;
  stamps?: Stamps;
  /**
   * W3C `traceparent` of what is going on when a write or read is called, asked once for each: it
   * goes with the write through the worker's journal to the database. In batch mode it goes along
   * where all writes of a request have the same.
   */
  traceparent?: () => string | undefined;
};

/**
 * A client for one hub.
 * @throws RangeError for a HubID that is not 1-64 of `[A-Za-z0-9_-]`.
 */
export function createHubClient<Headers extends HubHeaders>(
  options: HubClientOptions<Headers>,
): HubClient<Headers> {
  return new HubClient(options);
}

/**
 * Every write returns its reply once it is synced to the worker's disk, or throws a TidemarkError:
 * a refusal that trying again cannot mend, or the last of the others when `retry.giveUpMs` is over
 * (nobody knows then whether the write was accepted; sending it again with the same EventGUID is
 * safe). Writes of one key leave one at a time in the order of the calls; arguments are copied, so
 * the caller may change them afterwards.
 */
export class HubClient<Headers extends HubHeaders> {
  readonly #sender: Sender<Headers>;
  readonly #stamps: Stamps;
  readonly #retry: RetryOptions;
  readonly #turns: KeyTurns;
  readonly #keep: HubClientOptions<Headers>['keep'];
  readonly #batchers: Record<Lane, Batcher> | null;
  readonly #newGuid: () => string;
  readonly #traceparent: () => string | undefined;
  #eventSeq = 0;

  constructor(options: HubClientOptions<Headers>) {
    if (!isSubjectToken(options.hub))
      throw new RangeError(
        `hub ${JSON.stringify(options.hub)} is not 1 to 64 of A-Z, a-z, 0-9, _ and -`,
      );
    this.#stamps = options.stamps ?? systemStamps;
    this.#newGuid = guidMaker(this.#stamps);
    this.#traceparent = options.traceparent ?? (() => undefined);
    this.#turns = new KeyTurns(
      options.waiting?.writesMax ?? limits.clientWritesMax,
      options.waiting?.charsMax ?? limits.clientCharsMax,
    );
    this.#keep = options.keep;
    this.#retry = {
      firstMs: limits.backoffFirstMs,
      longestMs: limits.backoffLongestMs,
      giveUpMs: limits.clientGiveUpMs,
      ...options.retry,
    };
    const {
      connection,
      headers,
      hub,
      encoding = 'msgpack',
      timeoutMs = limits.clientTimeoutMs,
    } = options;
    this.#sender = new Sender({
      connection,
      headers,
      hub,
      encoding,
      timeoutMs,
      newGuid: this.#newGuid,
    });
    this.#batchers = options.batch
      ? this.#newBatchers(options.batch === true ? {} : options.batch)
      : null;
  }

  #newBatchers(options: Partial<BatchOptions>): Record<Lane, Batcher> {
    const bounds = {
      itemsMax: limits.clientBatchItems,
      delayMs: limits.clientBatchDelayMs,
      ...options,
    };
    const make = (lane: Lane) =>
      new Batcher(
        lane,
        bounds,
        (...request) => this.#sender.send(...request),
        (ms) => this.#stamps.sleep(ms),
      );
    return { queue: make('queue'), manifest: make('manifest') };
  }

  /** Writes called and not answered. */
  get unanswered(): number {
    return this.#turns.waiting;
  }

  upsertWorkItem(item: WorkItemFields, stamp?: WriteStamp): Promise<WriteReply> {
    return this.#write('queue', 'QP_UpsertWorkItem', { WorkItem: item }, stamp);
  }

  updateWorkItem(hash: string, patch: Fields, stamp?: WriteStamp): Promise<WriteReply> {
    return this.#write('queue', 'QP_UpdateWorkItem', { WorkItemHash: hash, Patch: patch }, stamp);
  }

  /**
   * Appends an event. EventGUID is stamped where it lacks; Seq and EmittedAt too, unless the
   * identity is the caller's: a write that he may repeat must not change between two calls, and the
   * worker fills both in from the first.
   */
  appendEvent(event: WorkItemFields, stamp: WriteStamp = {}): Promise<WriteReply> {
    const own =
      typeof event['EventGUID'] === 'string' && event['EventGUID'] !== ''
        ? event['EventGUID']
        : stamp.EventGUID;
    const EventGUID = own ?? this.#newGuid();
    const stamped =
      own === undefined
        ? {
            ...event,
            EventGUID,
            Seq: event['Seq'] ?? ++this.#eventSeq,
            EmittedAt: event['EmittedAt'] ?? new Date(this.#stamps.nowMs()).toISOString(),
          }
        : { ...event, EventGUID };
    return this.#write(
      'queue',
      'QP_AppendEvent',
      { Event: stamped },
      { ...(isGuid(EventGUID) ? { EventGUID } : {}), ...stamp },
    );
  }

  insertAttempt(attempt: AttemptFields, stamp?: WriteStamp): Promise<WriteReply> {
    return this.#write('queue', 'QP_InsertAttempt', { Attempt: attempt }, stamp);
  }

  updateAttemptOutcome(
    hash: string,
    attemptNumber: number,
    patch: Fields,
    stamp?: WriteStamp,
  ): Promise<WriteReply> {
    return this.#write(
      'queue',
      'QP_UpdateAttemptOutcome',
      { WorkItemHash: hash, AttemptNumber: attemptNumber, Patch: patch },
      stamp,
    );
  }

  /** `WorkItem` of the reply is null where there is none. */
  getWorkItemByHash(hash: string): Promise<ReadReply> {
    return this.#read('queue', 'QP_GetWorkItemByHash', { WorkItemHash: hash });
  }

  listWorkItems(filter: WorkItemFilter = {}): Promise<ReadReply> {
    return this.#read('queue', 'QP_ListWorkItems', { Filter: filter });
  }

  /** `Events` of the reply, oldest first. */
  getEvents(hash: string, limit?: number): Promise<ReadReply> {
    return this.#read('queue', 'QP_GetEvents', {
      WorkItemHash: hash,
      ...(limit === undefined ? {} : { Limit: limit }),
    });
  }

  upsertManifest(manifest: ManifestFields, stamp?: WriteStamp): Promise<WriteReply> {
    return this.#write('manifest', 'MS_UpsertManifest', { Manifest: manifest }, stamp);
  }

  removeManifest(runHash: string, stamp?: WriteStamp): Promise<WriteReply> {
    return this.#write('manifest', 'MS_RemoveManifest', { RunHash: runHash }, stamp);
  }

  /**
   * `Manifest` of the reply as it was sent, `Row` as it is stored; both null where there is none.
   */
  getManifest(runHash: string): Promise<ReadReply> {
    return this.#read('manifest', 'MS_GetManifest', { RunHash: runHash });
  }

  listManifests(filter: ManifestFilter = {}): Promise<ReadReply> {
    return this.#read('manifest', 'MS_ListManifests', { Filter: filter });
  }

  async #write(
    lane: Lane,
    action: WriteAction,
    given: Fields,
    { FillOnly, ...stamp }: WriteStamp = {},
  ): Promise<WriteReply> {
    const content = FillOnly === true ? { ...given, FillOnly } : given;
    const head = { EventGUID: this.#newGuid(), ...stamp };
    if (this.#keep) return (await this.#keep(stamped(lane, action, head, content))) as WriteReply;
    const { settings, bytes } = copyOf(content);
    const traceparent = this.#traceparent();
    const envelope = { ...head, Settings: settings };
    const batcher = stamp.Wait === 'applied' ? null : this.#batchers?.[lane];
    const send = batcher
      ? () => batcher.add({ Action: action, ...envelope }, bytes, traceparent)
      : () =>
          this.#sender.send(lane, action, envelope, {
            waitMs: stamp.Wait === 'applied' ? (stamp.WaitMs ?? limits.waitAppliedMsDefault) : 0,
            traceparent,
          });
    const trying = () => retrying(send, this.#retry, this.#stamps);
    const reply = await this.#turns.take(`${lane} ${keyOf(action, settings)}`, bytes, trying);
    return reply as WriteReply;
  }

  async #read(lane: Lane, action: Action, settings: Fields): Promise<ReadReply> {
    const traceparent = this.#traceparent();
    const send = () => this.#sender.send(lane, action, { Settings: settings }, { traceparent });
    return (await retrying(send, this.#retry, this.#stamps)) as ReadReply;
  }
}

function stamped(
  lane: Lane,
  action: WriteAction,
  head: WriteStamp & { EventGUID: string },
  given: Fields,
): StampedWrite {
  const text = `${JSON.stringify(head).slice(0, -1)},"Settings":${textOf(given)}}`;
  const key = keyOf(action, given as JsonObject);
  return { lane, action, key, eventGuid: head.EventGUID, text };
}
