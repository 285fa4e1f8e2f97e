/**
 * A hub in a test: a connection of either NATS client with the client library on it, and the
 * publishing of a trace.
 */
import { connect as connectV3, headers as headersV3 } from 'nats';
import { connect as connectV2, headers as headersV2 } from 'nats-v2';
import {
  type AttemptFields,
  createHubClient,
  type Fields,
  type HubClient,
  type HubClientOptions,
  type HubHeaders,
  type ManifestFields,
  type WorkItemFields,
  type WriteStamp,
} from '../../../contracts/client.ts';
import type { WriteReply } from '../../../contracts/reply.ts';
import type { Acceptance } from '../rows/order.ts';
import type { TraceCall } from '../rows/trace.ts';

export type TestHub = AsyncDisposable & {
  client: HubClient<HubHeaders>;
  /** A plain request, for what the library does not do. */
  request(
    subject: string,
    payload: Uint8Array | string,
    headers?: Record<string, string>,
  ): Promise<{ data: Uint8Array; headers?: { get(name: string): string } | undefined }>;
};

type Options = Partial<Omit<HubClientOptions<HubHeaders>, 'connection' | 'headers'>> & {
  library?: 'v3' | 'v2';
};
const forever = {
  maxReconnectAttempts: -1,
  reconnectTimeWait: 100,
  reconnectJitter: 20,
  waitOnFirstConnect: true,
};

/** Connects a hub; `library` chooses between the 3.x client and the frozen 2.x one. */
export async function connectHub(
  url: string,
  { library = 'v3', hub = 'hub1', ...options }: Options = {},
): Promise<TestHub> {
  const isV3 = library === 'v3';
  const connection = isV3
    ? await connectV3({ servers: url, ...forever })
    : await connectV2({ servers: url, ...forever });
  const headers = isV3 ? headersV3 : headersV2;
  const plain = connection as unknown as HubClientOptions<HubHeaders>['connection'];
  return {
    client: createHubClient<HubHeaders>({ connection: plain, headers, hub, ...options }),
    request: (subject, payload, given = {}) => {
      const head = headers();
      for (const [name, value] of Object.entries(given)) head.set(name, value);
      return plain.request(subject, typeof payload === 'string' ? Buffer.from(payload) : payload, {
        timeout: 10_000,
        headers: head,
      });
    },
    [Symbol.asyncDispose]: async () => {
      await connection.close();
    },
  };
}

/** One bridge call as a domain action. */
export function callClient(
  client: HubClient<HubHeaders>,
  { method, args }: TraceCall,
  stamp: WriteStamp,
): Promise<WriteReply> {
  const [first, second, third] = args;
  switch (method) {
    case 'upsertWorkItem':
      return client.upsertWorkItem(first as WorkItemFields, stamp);
    case 'updateWorkItem':
      return client.updateWorkItem(first as string, second as Fields, stamp);
    case 'appendEvent':
      return client.appendEvent(first as WorkItemFields, stamp);
    case 'insertAttempt':
      return client.insertAttempt(first as AttemptFields, stamp);
    case 'updateAttemptOutcome':
      return client.updateAttemptOutcome(first as string, second as number, third as Fields, stamp);
    case 'upsertManifest':
      return client.upsertManifest(first as ManifestFields, stamp);
    case 'removeManifest':
      return client.removeManifest(first as string, stamp);
    default:
      return Promise.reject(new Error(`${method} does not write`));
  }
}

export type Published = {
  accepted: Acceptance[];
  duplicates: number;
  refused: { method: string; reason: string }[];
};

/**
 * Sends writes in order, at most `inFlight` unanswered, and keeps what the worker answered in the
 * order of the calls. `onAnswer` hears how many have been answered, and may hold up the one that
 * asks for more.
 */
export async function publish(
  client: HubClient<HubHeaders>,
  calls: readonly TraceCall[],
  inFlight = 64,
  onAnswer: (answered: number) => Promise<void> | null = () => null,
): Promise<Published> {
  const replies: (WriteReply | null)[] = [];
  const refused: Published['refused'] = [];
  let next = 0;
  let answered = 0;
  const work = async () => {
    while (next < calls.length) {
      const at = next++;
      const call = calls[at] as TraceCall;
      try {
        replies[at] = await callClient(client, call, { EventGUID: call.eventGuid });
      } catch (error) {
        refused.push({ method: call.method, reason: String(error) });
      }
      await onAnswer(++answered);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  const accepted = calls.flatMap((call, at) => {
    const reply = replies[at];
    return reply ? [{ ...call, seq: reply.Seq }] : [];
  });
  return {
    accepted,
    duplicates: replies.filter((reply) => reply?.Duplicate === true).length,
    refused,
  };
}
