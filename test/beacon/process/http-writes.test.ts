/** What somebody without the right tries over HTTP, with paths and bodies made for it. */
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { B, startHttpOn } from '../../kit/beacon/over-http.ts';
import { withBus } from '../../kit/beacon/with-bus.ts';
import type { TestNats } from '../../kit/servers/nats.ts';

let nats: TestNats;
let bus: Bus;
withBus((...on) => {
  [nats, bus] = on;
});
const start = () => startHttpOn(nats, bus);

test('I14: a path cannot be written so that a write needs no token, nor passes AllowWrites', async () => {
  const { call, ask } = await start();
  const row = { HubID: 'h', WorkItemHash: 'planted' };
  const paths = [
    `${B}?/Schema/Validate`,
    `${B}/?x=/Schema/Validate`,
    `${B}s?/Schema/Validate`,
    `${B};/Schema/Validate`,
    `${B}%3F/Schema/Validate`,
  ];
  for (const path of paths)
    expect([path, (await call('POST', path, row, {})).status]).toEqual([path, 401]);
  await ask('DataBeaconManagement', 'UpdateProxyConfig', { AllowWrites: false });
  for (const path of paths)
    expect([path, (await call('POST', path, row)).status]).toEqual([path, 403]);
  expect((await call('GET', `${B}s`, undefined, {})).body).toEqual([]);
  expect((await call('POST', `${B}/Schema/Validate`, { Status: 'Fine' }, {})).status).toBe(200);
});

test('I14: without a token a body is at most 1 MiB', async () => {
  const { call } = await start();
  const body = { Status: 'x'.repeat(limits.httpBodyBytesMax) };
  expect((await call('POST', `${B}/Schema/Validate`, body, {})).status).toBe(413);
  expect((await call('POST', `${B}/Schema/Validate`, body)).status).toBe(200);
});
