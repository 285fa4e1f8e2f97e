/** Identities the client library makes and takes: EventGUIDs and the HubID. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { guidMaker, systemStamps } from '../../contracts/client/stamps.ts';
import { isGuid } from '../../contracts/envelope.ts';
import { connectHub } from '../kit/processes/hub.ts';
import { TestNats } from '../kit/servers/nats.ts';

let nats: TestNats;
beforeAll(async () => {
  nats = await TestNats.start();
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
});

test('client — identities are UUIDs of version 7, in order within a millisecond and over thousands, none twice', () => {
  const next = guidMaker({ ...systemStamps, nowMs: () => 1_700_000_000_000 });
  const made = Array.from({ length: 10_000 }, next);
  expect(
    made.every((guid) => isGuid(guid) && guid[14] === '7' && '89ab'.includes(guid[19] ?? '')),
  ).toBe(true);
  expect(new Set(made).size).toBe(made.length);
  expect(made.toSorted()).toEqual(made);
});

test('client — a HubID that is no subject token is refused', async () => {
  await expect(connectHub(nats.url, { hub: 'a.b' })).rejects.toThrow(RangeError);
});
