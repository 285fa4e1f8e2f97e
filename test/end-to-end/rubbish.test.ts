/** Rubbish of every kind on the bus: the right refusal for each, and the worker lives on. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { laneOf } from '../../contracts/actions.ts';
import { decodeBody, encodeBody } from '../../contracts/body/codec.ts';
import { decodeEnvelope } from '../../contracts/envelope.ts';
import { refusalStatus, type RefusalCode, type TidemarkError } from '../../contracts/errors.ts';
import { type Lane, subjects } from '../../contracts/subjects.ts';
import { actionName, goodWrite, rubbish, rubbishBytes } from '../kit/arbitraries.ts';
import { guidOf } from '../kit/rows/trace.ts';
import { Stack } from '../kit/processes/stack.ts';

/** What the decoder says about a request; the worker must say the same. */
function verdict(
  bytes: Uint8Array,
  headers: Record<string, string>,
  lane: Lane,
  action: string,
): string {
  try {
    decodeEnvelope(decodeBody(bytes, { get: (name) => headers[name] ?? '' }), lane, action);
    return 'good';
  } catch (error) {
    return (error as TidemarkError).code;
  }
}

const headerSets = fc.constantFrom<Record<string, string>>(
  {},
  {},
  { 'Content-Type': 'application/json' },
  { 'Content-Type': 'application/msgpack' },
  { 'Content-Type': 'text/plain' },
  { 'Content-Encoding': 'gzip' },
  { 'Content-Encoding': 'br' },
);
const bytesOf = fc.oneof(
  rubbishBytes,
  rubbish.map((value) => {
    try {
      return encodeBody(value, 'msgpack');
    } catch {
      // What no encoding can say cannot be sent.
      return Buffer.from('not a value');
    }
  }),
);

describe('rubbish on the bus', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ isAssigned: false });
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  const ask = async (
    lane: Lane,
    action: string,
    bytes: Uint8Array,
    headers: Record<string, string>,
  ) => {
    const reply = await stack.hub.request(
      subjects.action(stack.hubId, lane, action),
      bytes,
      headers,
    );
    return {
      body: decodeBody(reply.data, reply.headers) as Record<string, unknown>,
      head: reply.headers,
    };
  };

  test("each is refused with the contract's code and header, and the Reason starts with a path", async () => {
    const pid = stack.worker.pid;
    const name = actionName.filter(
      (text) => /^[A-Za-z0-9_-]+$/.test(text) && text !== 'batch' && text !== 'chunk',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Lane>('queue', 'manifest'),
        name,
        bytesOf,
        headerSets,
        async (lane, action, bytes, headers) => {
          const expected = verdict(bytes, headers, lane, action);
          const { body, head } = await ask(lane, action, bytes, headers);
          if (expected === 'good') {
            expect(['CONFLICT', 'UNAVAILABLE', undefined]).toContain(body['Code']);
            return;
          }
          expect(body).toMatchObject({ Success: false, Code: expected });
          expect(body['Reason']).toMatch(
            /^(?:body|header|Action|EventGUID|At|RemoteUser|Wait|WaitMs|Settings)[\s\S]*?: /,
          );
          expect(Number(head?.get('Nats-Service-Error-Code'))).toBe(
            refusalStatus[expected as RefusalCode],
          );
          expect(head?.get('Nats-Service-Error')).not.toBe('');
        },
      ),
      { numRuns: 400 },
    );
    expect(stack.worker.isRunning).toBe(true);
    expect(stack.worker.pid).toBe(pid);
  });

  test('batches and chunks of rubbish are refused too; a bad item does not refuse the good one', async () => {
    // First, while no half-sent transfer of the rubbish below is open: too many are OVERLOADED.
    const Data = encodeBody(
      { Action: 'chunk', Transfer: guidOf('inner'), Index: 0, Count: 1, Data: 'e30=' },
      'json',
    );
    const nested = await ask(
      'queue',
      'chunk',
      encodeBody({ Transfer: guidOf('outer'), Index: 0, Count: 1, Data }, 'msgpack'),
      {},
    );
    expect(nested.body).toMatchObject({ Success: false, Code: 'INVALID_MESSAGE' });
    const strange = fc.oneof(
      rubbish,
      fc.record({ Items: fc.oneof(rubbish, fc.array(rubbish, { maxLength: 4 })) }),
      fc.record({ Transfer: fc.uuid(), Index: fc.nat(3), Count: fc.nat(3), Data: fc.uint8Array() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('batch', 'chunk'), strange, async (action, value) => {
        let bytes: Uint8Array;
        try {
          bytes = encodeBody(value, 'msgpack');
        } catch {
          return;
        }
        const { body } = await ask('queue', action, bytes, {});
        if (body['Code'] !== undefined)
          expect(['INVALID_MESSAGE', 'TOO_LARGE', 'OVERLOADED']).toContain(body['Code']);
      }),
      { numRuns: 100 },
    );
    const [good] = fc.sample(
      goodWrite.filter(({ action }) => laneOf(action) === 'queue'),
      1,
    );
    const { body } = await ask(
      'queue',
      'batch',
      encodeBody(
        { Items: [{ Action: 'QP_Nonsense' }, { Action: good?.action, ...good?.body }, 7] },
        'json',
      ),
      {},
    );
    expect(body['Results']).toMatchObject([
      { Success: false, Code: 'INVALID_MESSAGE' },
      { Success: true, Durability: 'synced' },
      { Success: false, Code: 'INVALID_MESSAGE' },
    ]);
  });

  test('what follows is accepted as if nothing had been', async () => {
    const writes = fc.sample(goodWrite, 50);
    for (const { action, body } of writes) {
      const { body: reply } = await ask(
        laneOf(action) ?? 'queue',
        action,
        encodeBody(body, 'msgpack'),
        { 'Content-Type': 'application/msgpack' },
      );
      expect(reply).toMatchObject({
        Success: true,
        Durability: 'synced',
        EventGUID: body.EventGUID,
      });
    }
    const status = await stack.status();
    expect(Object.values(status.Balance).map((lane) => lane.Difference)).toEqual([0, 0]);
  });
});
