/**
 * A worker's side of the bus that does what a test says: keeps what came, and answers, refuses or
 * stays silent.
 */
import { connect, headers, type Msg, type NatsConnection } from 'nats';
import { ChunkAssembler } from '../../../contracts/body/chunks.ts';
import {
  decodeBody,
  encodeBody,
  encodingOf,
  type HeaderReader,
} from '../../../contracts/body/codec.ts';
import { type RefusalCode, refusalStatus } from '../../../contracts/errors.ts';
import type { JsonObject } from '../../../contracts/body/json-value.ts';
import { lastToken, subjects } from '../../../contracts/subjects.ts';

export type Heard = { action: string; body: JsonObject; zipped: boolean; bytes: number };
export type Refuse = { refuse: RefusalCode; retryAfterMs?: number };
export type Answer = JsonObject | Refuse | 'silence';

export class ScriptedWorker implements AsyncDisposable {
  /** Requests in the order they came; of a chunked one the whole. */
  readonly heard: Heard[] = [];
  chunks = 0;
  /** What to answer; may wait. The default accepts. */
  answer: (heard: Heard, count: number) => Answer | Promise<Answer> = (heard) => accept(heard.body);
  readonly #connection: NatsConnection;
  readonly #assembler = new ChunkAssembler(() => 0);

  private constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  /** @param answer in force from the first request on, which may come before this returns */
  static async start(
    url: string,
    hub = 'hub1',
    answer?: ScriptedWorker['answer'],
  ): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker(await connect({ servers: url }));
    if (answer) worker.answer = answer;
    for (const lane of ['queue', 'manifest'] as const) {
      worker.#connection.subscribe(subjects.laneAll(hub, lane), {
        callback: (_error, message) => {
          void worker.#take(message);
        },
      });
    }
    await worker.#connection.flush();
    return worker;
  }

  async #take(message: Msg): Promise<void> {
    const action = lastToken(message.subject);
    const body = decodeBody(message.data, message.headers) as JsonObject;
    if (action !== 'chunk')
      return this.#reply(message, { action, body, ...about(message.data, message.headers) });
    this.chunks += 1;
    const result = this.#assembler.add(body);
    if (!result.done) return send(message, { Success: true, Received: result.received });
    return this.#reply(message, {
      action: result.action,
      body: decodeBody(result.body, result.headers) as JsonObject,
      ...about(result.body, result.headers),
    });
  }

  async #reply(message: Msg, heard: Heard): Promise<void> {
    this.heard.push(heard);
    const answer = await this.answer(heard, this.heard.length);
    if (answer === 'silence') return;
    if (!isRefuse(answer)) return send(message, answer);
    const { refuse, retryAfterMs } = answer;
    const head = {
      'Nats-Service-Error': 'refused by the script',
      'Nats-Service-Error-Code': String(refusalStatus[refuse]),
    };
    send(
      message,
      {
        Available: true,
        Success: false,
        Code: refuse,
        Reason: 'refused by the script',
        ...(retryAfterMs === undefined ? {} : { RetryAfterMs: retryAfterMs }),
      },
      head,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}

function isRefuse(answer: JsonObject | Refuse): answer is Refuse {
  return 'refuse' in answer;
}

function about(
  data: Uint8Array,
  head: HeaderReader | undefined,
): { zipped: boolean; bytes: number } {
  return { zipped: head?.get('Content-Encoding') === 'gzip', bytes: data.length };
}

/** In the encoding of the request, as the contract wants it. */
function send(message: Msg, value: JsonObject, more: Record<string, string> = {}): void {
  const head = headers();
  for (const [name, text] of Object.entries(more)) head.set(name, text);
  message.respond(encodeBody(value, encodingOf(message.data, message.headers)), { headers: head });
}

/** The reply to an accepted write, or to a batch of them. */
export function accept(body: JsonObject): JsonObject {
  if (Array.isArray(body['Items']))
    return { Success: true, Results: body['Items'].map((item) => accept(item as JsonObject)) };
  return {
    Available: true,
    Success: true,
    Durability: 'synced',
    Seq: 1,
    EventGUID: body['EventGUID'] ?? '',
    Duplicate: false,
  };
}
