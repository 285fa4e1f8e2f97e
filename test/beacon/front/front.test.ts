/**
 * A retold-databeacon's HTTP server on the bus: what goes through, what is kept out, and what is
 * said when there is no route for it.
 */
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { ProxyOutputs } from '../../../contracts/capability.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { checkBeaconConfig } from '../../../beacon/databases/config.ts';
import { frontUrl } from '../../../beacon/front/front-client.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { until } from '../../kit/until.ts';
import { withBus } from '../../kit/beacon/with-bus.ts';
import { B, here, startFrontOn } from '../../kit/beacon/front.ts';

let nats: TestNats;
let bus: Bus;
withBus((...on) => {
  [nats, bus] = on;
});

const startFront = (options: Parameters<typeof startFrontOn>[2] = {}) =>
  startFrontOn(nats, bus, options);

test('presence tells the connections of the server and offers no batch', async () => {
  const { heard } = await startFront();
  await until('it is heard', () => heard.length > 0);
  expect(heard[0]).toMatchObject({
    Status: 'Online',
    Capabilities: ['MeadowProxy', 'DataBeaconSchema', 'DataBeaconManagement', 'DataBeaconAccess'],
    Tags: { PersistenceConnectionID: '1' },
    Connections: [
      {
        IDBeaconConnection: 1,
        Name: 'UV External',
        Engine: 'sqlite',
        Connected: true,
        StoreID: '',
      },
    ],
  });
});

test('a bootstrap goes through, and rows are written and read with the headers of the loopback', async () => {
  const { ask, seen } = await startFront();
  expect(
    await ask('DataBeaconSchema', 'EnsureSchema', {
      ...here,
      SchemaName: 'ultravisor',
      SchemaJSON: persistenceSchema,
    }),
  ).toMatchObject({ Success: true, Engine: 'sqlite', TablesCreated: [], ColumnsAdded: [] });
  expect(await ask('DataBeaconManagement', 'Introspect', here)).toMatchObject({ TableCount: 5 });
  expect(
    await ask('DataBeaconManagement', 'EnableEndpoint', { ...here, TableName: 'UVQueueWorkItem' }),
  ).toMatchObject({ EndpointBase: B });
  expect(
    await ask('DataBeaconManagement', 'EnableEndpoint', { ...here, TableName: 'UVQueueWorkItem' }),
  ).toEqual({ Message: 'Endpoint already enabled', TableName: 'UVQueueWorkItem', EndpointBase: B });
  const made = await ask<ProxyOutputs>('MeadowProxy', 'Request', {
    Method: 'post',
    Path: B,
    Body: JSON.stringify({ WorkItemHash: 'ä', HubID: 'h' }),
    RemoteUser: 'someone',
  });
  expect([made.Status, JSON.parse(made.Body) as object]).toMatchObject([
    200,
    { WorkItemHash: 'ä', Status: '' },
  ]);
  expect(seen.at(-1)).toMatchObject({
    method: 'POST',
    path: B,
    headers: {
      'x-databeacon-meadowproxy': '1',
      'x-beacon-user': 'someone',
      'content-type': 'application/json',
    },
  });
  const again = await ask<ProxyOutputs>('MeadowProxy', 'Request', {
    Method: 'POST',
    Path: B,
    Body: JSON.stringify({ WorkItemHash: 'ä', HubID: 'h' }),
  });
  expect([again.Status, again.Body]).toEqual([
    500,
    expect.stringContaining('UNIQUE constraint failed'),
  ]);
});

test('EnsureSchema that would have to make something says what is missing, and makes nothing', async () => {
  const { ask, beacon } = await startFront({ isMade: false });
  await expect(
    ask('DataBeaconSchema', 'EnsureSchema', { ...here, SchemaJSON: persistenceSchema }),
  ).rejects.toThrow(
    /no HTTP route that creates tables, and 5 tables or columns are missing \(UVQueueWorkItem/,
  );
  expect(beacon.introspect().TableCount).toBe(0);
  expect(
    await ask('DataBeaconSchema', 'IntrospectSchema', { ...here, SchemaJSON: persistenceSchema }),
  ).toMatchObject({ Tables: [{ Exists: false }, {}, {}, {}, {}] });
});

test('a table that was dropped is missing, although the server remembers its columns', async () => {
  const { ask, path } = await startFront();
  await ask('DataBeaconSchema', 'EnsureSchema', { ...here, SchemaJSON: persistenceSchema });
  const database = new Database(path);
  database.exec('DROP TABLE "UVManifest"');
  database.close();
  await expect(
    ask('DataBeaconSchema', 'EnsureSchema', { ...here, SchemaJSON: persistenceSchema }),
  ).rejects.toThrow('1 tables or columns are missing (UVManifest)');
});

test('a connection the server left down at its start is made once for workers that come together', async () => {
  const { ask, seen } = await startFront({ quirks: ['no-autoconnect'] });
  const ensure = () =>
    ask('DataBeaconSchema', 'EnsureSchema', { ...here, SchemaJSON: persistenceSchema });
  expect(await Promise.all([ensure(), ensure()])).toMatchObject([
    { Success: true },
    { Success: true },
  ]);
  expect(seen.filter(({ path }) => path === '/beacon/connection/1/connect')).toHaveLength(1);
  await expect(
    ask('DataBeaconManagement', 'Introspect', { IDBeaconConnection: 2 }),
  ).rejects.toThrow('Connection not found');
});

test('a refusal that comes as 200 with an Error is a refusal', async () => {
  const { ask } = await startFront();
  await expect(
    ask('DataBeaconManagement', 'Introspect', { ...here, TableName: 'nowhere' }),
  ).rejects.toThrow('Table not found');
});

test('an endpoint among the tables of the server itself is refused before anything is written there', async () => {
  const { ask } = await startFront({ quirks: ['no-name'] });
  await ask('DataBeaconManagement', 'Introspect', here);
  await expect(
    ask('DataBeaconManagement', 'EnableEndpoint', { ...here, TableName: 'UVManifest' }),
  ).rejects.toThrow('/1.0/UVManifest, among its own tables');
});

test('nothing beside tables of connections is let through, whatever is added to the allowlist', async () => {
  const { ask, seen } = await startFront();
  await ask('DataBeaconManagement', 'UpdateProxyConfig', { PathAllowlist: ['^/?.*'] });
  const before = seen.length;
  for (const Path of [
    '/1.0/BeaconConnections',
    '/1.0/User/1',
    '/beacon/connections',
    '//127.0.0.1:1/1.0/a/b',
    '/1.0/uv-external/../BeaconConnections',
    '/1.0/uv-external/%2e%2e/BeaconConnections',
    '/1.0/uv-external/x#y',
    'http://127.0.0.1/1.0/a/b',
    '/1.0\\uv-external/x',
  ]) {
    await expect(ask('MeadowProxy', 'Request', { Method: 'GET', Path })).rejects.toThrow(
      /allowlist|cannot be sent/,
    );
  }
  expect(seen.slice(before).filter(({ path }) => path !== '/beacon/connections')).toEqual([]);
});

test('counts of an upsert of many rows come with the answer: its body says nothing of rows that failed', async () => {
  const { ask } = await startFront();
  const answer = await ask<ProxyOutputs>('MeadowProxy', 'Request', {
    Method: 'PUT',
    Path: `${B}/Upserts`,
    Body: '[{},{}]',
  });
  expect(answer).toEqual({
    Status: 200,
    Body: '[]',
    Headers: {
      'content-type': 'application/json',
      'x-meadow-upsert-total': '2',
      'x-meadow-upsert-succeeded': '0',
      'x-meadow-upsert-errored': '2',
    },
  });
});

test('a redirect is an answer, not a way', async () => {
  const { ask } = await startFront();
  expect(
    await ask('MeadowProxy', 'Request', { Method: 'GET', Path: '/1.0/uv-external/moved' }),
  ).toMatchObject({ Status: 302 });
});

test('read-only lets no write through, an Undelete neither, however its path is written (I14)', async () => {
  const { ask } = await startFront({ allowWrites: false });
  for (const [Method, Path] of [
    ['POST', B],
    ['PUT', B],
    ['DELETE', `${B}/1`],
    ['GET', `${B}/Undelete/1`],
    ['POST', `${B}?/Schema/Validate`],
    ['POST', `${B};/Schema/Validate`],
    ['GET', `${B}/%55ndelete/1`],
    ['GET', `${B}//Undelete/1`],
  ]) {
    await expect(ask('MeadowProxy', 'Request', { Method, Path, Body: '{}' })).rejects.toThrow(
      'writes are disabled',
    );
  }
  await expect(
    ask('MeadowProxy', 'Request', { Method: 'GET', Path: `${B}s/0/1` }),
  ).resolves.toMatchObject({ Status: 404 });
});

test('a server that does not answer is away at once, and another one when it is back', async () => {
  const { ask, heard, server, listen, port } = await startFront();
  await until('it is heard', () => heard.some(({ Status }) => Status === 'Online'));
  const nonce = heard[0]?.Nonce;
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await expect(ask('MeadowProxy', 'Request', { Method: 'GET', Path: `${B}s/0/1` })).rejects.toThrow(
    'does not answer',
  );
  await until(
    'it says so',
    () => heard.at(-1)?.Status === 'Draining' && heard.at(-1)?.Connections[0]?.Connected === false,
  );
  const second = await listen(port);
  onTestFinished(() => void second.close());
  await until('it is back', () => heard.at(-1)?.Status === 'Online', { deadlineMs: 10_000 });
  expect(heard.at(-1)?.Nonce).not.toBe(nonce);
});

test('a server that hangs costs a request its time, not more', async () => {
  const { ask, server } = await startFront();
  server.removeAllListeners('request');
  await ask('DataBeaconManagement', 'UpdateProxyConfig', { RequestTimeoutMs: 200 });
  await expect(ask('MeadowProxy', 'Request', { Method: 'GET', Path: `${B}s/0/1` })).rejects.toThrow(
    'nothing within 200 ms',
  );
}, 60_000);

test('an address that is none, or one with databases beside it, is refused', () => {
  for (const text of ['127.0.0.1:8389', 'ftp://a:1', 'http://u:secret@a:1', 'http://a:1/path']) {
    expect(() => frontUrl(text)).toThrow('--front');
    expect(() => frontUrl(text)).not.toThrow('secret');
  }
  const config = {
    beaconId: 'a',
    dataDir: '.',
    isBatchOn: true,
    tags: {},
    front: 'http://a:1',
    databases: ['sqlite:x'],
  };
  expect(() => checkBeaconConfig(config)).toThrow('leave --db out');
  expect(() => checkBeaconConfig({ ...config, databases: [] })).not.toThrow();
});
