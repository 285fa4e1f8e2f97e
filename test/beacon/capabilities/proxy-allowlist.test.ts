/** What MeadowProxy lets through: enabled tables, patterns of the allowlist, bounds. */
import { describe, expect, test } from 'vitest';
import { disableEndpoint, enableEndpoint } from '../../../beacon/capabilities/management.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';
import { B, start, startEnabled } from '../../kit/beacon/proxy-kit.ts';

describe('what is let through', () => {
  test('only enabled tables answer, and a disabled one stops at once', async () => {
    const { call, connections, connection } = await start();
    expect((await call('GET', `${B}s`)).status).toBe(404);
    await enableEndpoint(connections, connection, { TableName: 'UVQueueWorkItem' });
    expect((await call('GET', `${B}s`)).status).toBe(200);
    disableEndpoint(connections, connection, { TableName: 'UVQueueWorkItem' });
    expect((await call('GET', `${B}s`)).status).toBe(404);
  });

  test('defect 23: EnableEndpoint names the base on every call', async () => {
    const { connections, connection } = await start();
    const first = await enableEndpoint(connections, connection, { TableName: 'UVManifest' });
    const second = await enableEndpoint(connections, connection, { TableName: 'UVManifest' });
    expect(first.EndpointBase).toBe('/1.0/backend/UVManifest');
    expect(second).toMatchObject({
      EndpointBase: first.EndpointBase,
      Message: 'Endpoint already enabled',
    });
    await expect(
      enableEndpoint(connections, connection, { TableName: 'UVBridgeStore' }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(enableEndpoint(connections, connection, { TableName: 'Nope' })).rejects.toThrow(
      'Introspected table not found: Nope.',
    );
  });

  test('refuses with the words of the old gateway', async () => {
    const { proxy } = await startEnabled();
    await expect(proxy.request({ Path: B }, 1_000)).rejects.toThrow(
      'MeadowProxy: Method is required.',
    );
    await expect(proxy.request({ Method: 'GET', Path: '/1.0/User/1' }, 1_000)).rejects.toThrow(
      'MeadowProxy: path is not in the allowlist.',
    );
    await expect(proxy.request({ Method: 'GET', Path: `/x${B}` }, 1_000)).rejects.toThrow(
      'MeadowProxy: path is not in the allowlist.',
    );
    proxy.updateConfig({ AllowWrites: false });
    await expect(proxy.request({ Method: 'post', Path: B, Body: '{}' }, 1_000)).rejects.toThrow(
      'MeadowProxy: writes are disabled on this beacon.',
    );
    await expect(proxy.request({ Method: 'GET', Path: `${B}/Undelete/1` }, 1_000)).rejects.toThrow(
      'MeadowProxy: writes are disabled on this beacon.',
    );
  });

  test('patterns are anchored, counted once, checked, and open nothing of the beacon’s own', async () => {
    const { proxy, call } = await startEnabled();
    expect(
      proxy.updateConfig({ PathAllowlist: ['/secret', '/secret', '.*BeaconConnection'] }),
    ).toMatchObject({ PatternsAdded: 2 });
    expect(proxy.updateConfig({ PathAllowlist: ['/secret'] })).toMatchObject({
      Success: true,
      PatternsAdded: 0,
      ActiveConfig: { AllowWrites: true },
    });
    await expect(proxy.request({ Method: 'GET', Path: '/open/secret' }, 1_000)).rejects.toThrow(
      'allowlist',
    );
    expect((await call('GET', '/1.0/BeaconConnections')).status).toBe(404);
    expect((await call('GET', '/1.0/backend/UVBridgeStores')).status).toBe(404);
    expect((await call('GET', '/1.0/backend/sqlite_schemas')).status).toBe(404);
    for (const bad of ['(', ')|(', '', 'x'.repeat(300), 7])
      expect(() => proxy.updateConfig({ PathAllowlist: [bad] })).toThrow(
        'Settings.PathAllowlist[0]',
      );
  });

  test('defect 49: a pattern is anchored on both sides, and reaches no further than it says', async () => {
    const { proxy, call } = await startEnabled();
    const isOpen = (path: string) =>
      proxy.request({ Method: 'GET', Path: path }, 1_000).then(
        () => true,
        () => false,
      );
    proxy.updateConfig({ PathAllowlist: ['/2.0/a/Item', '^/?3\\.0/[^/]+/UV[A-Za-z0-9]*'] });
    for (const path of [
      '/2.0/a/Item',
      '/2.0/a/Items',
      '/2.0/a/Item/7',
      '/2.0/a/Items/FilteredTo/x',
      '/2.0/a/ItemSelect',
      '/2.0/a/Item?x',
      '/3.0/b/UVQueueWorkItems/0/5',
      '3.0/b/UVManifest',
    ]) {
      expect([path, await isOpen(path)]).toEqual([path, true]);
    }
    for (const path of [
      '/2.0/a/ItemSecret',
      '/2.0/a/Itemsx',
      '/x/2.0/a/Item',
      '/2.0/a/Ite',
      '/3.0/b/c/UVManifest',
      '/3.0/b/UV-',
      ' /2.0/a/Item',
      '/1.0/Backend/UVManifest',
    ]) {
      expect([path, await isOpen(path)]).toEqual([path, false]);
    }
    expect((await call('GET', '/1.0/backend/uVQueueWorkItem/1')).status).toBe(404);
  });

  test.each([
    ['(a+)+', 'repeats a group'],
    ['(?:a|b)*', 'repeats a group'],
    ['(x)\\1', 'refers to a group'],
    ['(?=x)', 'looks ahead'],
    ['(?<!x)y', 'looks ahead'],
    ['a*b*c*d*', 'repetitions'],
    ['a?b?c?d?e?', 'choices'],
    ['(a|b)(c|d)(e|f)(g|h)(i|j)', 'choices'],
    ['a{1,9}b+c*d+', 'repetitions'],
  ])('a pattern that could take for ever is refused: %s', async (pattern, reason) => {
    const { proxy } = await startEnabled();
    expect(() => proxy.updateConfig({ PathAllowlist: [pattern] })).toThrow(reason);
  });

  test('no pattern, endpoint or name opens the tables of the beacon and of its marks', async () => {
    const { proxy, call, connections, connection } = await startEnabled();
    proxy.updateConfig({ PathAllowlist: ['.*'] });
    for (const name of [
      'UVBridgeStore',
      'UVBridgeMark',
      'uvbridgestore',
      'UVBRIDGEMARK',
      'sqlite_schema',
      'sqlite_sequence',
      'UVBridgeStore ',
    ]) {
      await expect(
        enableEndpoint(connections, connection, { TableName: name }),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
      // As if an older version had let it be enabled.
      connections.setEndpoint(connection, name, true);
      for (const path of [name, `${name}s`, `${name}Select`]) {
        for (const [method, body] of [
          ['GET', undefined],
          ['POST', {}],
          ['PUT', {}],
        ] as const)
          expect([path, (await call(method, `/1.0/backend/${path}`, body)).status]).toEqual([
            path,
            404,
          ]);
      }
    }
    for (const path of [
      '/1.0/backend/%55VBridgeStore',
      '/1.0/backend/../backend/UVBridgeMarks',
      '/1.0/backend//UVBridgeMarks',
      '/1.0/backend/UVBridgeMarks?x=/UVQueueWorkItems',
      '/1.0/BACKEND/UVQueueWorkItems',
    ]) {
      expect([path, (await call('GET', path)).status]).toEqual([path, 404]);
    }
  });

  test('the bounds of a body and of an answer’s time are set, and kept over a restart (I9)', async () => {
    const folder = tempFolder();
    const first = await startEnabled({ folder });
    expect(
      first.proxy.updateConfig({ BodyBytesMax: 1_000, RequestTimeoutMs: 5_000 }).ActiveConfig,
    ).toMatchObject({ BodyBytesMax: 1_000, RequestTimeoutMs: 5_000 });
    await first.stop();
    const { call, proxy } = await start({ folder });
    expect((await call('POST', B, { WorkItemHash: 'a', Settings: 'x'.repeat(900) })).status).toBe(
      200,
    );
    expect((await call('POST', B, { WorkItemHash: 'b', Settings: 'x'.repeat(1_000) })).status).toBe(
      413,
    );
    expect((await call('POST', B, { WorkItemHash: 'c', Settings: 'ü'.repeat(600) })).status).toBe(
      413,
    );
    expect(
      JSON.parse(
        (
          await proxy.request(
            { Method: 'POST', Path: B, Body: { WorkItemHash: 'd', Settings: 'ü'.repeat(600) } },
            5_000,
          )
        ).Body,
      ),
    ).toMatchObject({ StatusCode: 413 });
    for (const bad of [
      { BodyBytesMax: 0 },
      { BodyBytesMax: 10 ** 9 },
      { RequestTimeoutMs: 10 ** 9 },
      { RequestTimeoutMs: 'soon' },
    ])
      expect(() => proxy.updateConfig(bad)).toThrow('Settings.');
    expect(proxy.updateConfig({}).ActiveConfig).toMatchObject({ BodyBytesMax: 1_000 });
  });

  test('a database that hangs is answered for in time (I9)', async () => {
    const { proxy, connection } = await startEnabled();
    connection.engine.introspect = () => new Promise(() => undefined);
    proxy.updateConfig({ RequestTimeoutMs: 50 });
    await expect(proxy.request({ Method: 'GET', Path: `${B}s` }, 60_000)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('no answer within 50 ms') as string,
    });
  });

  test('what the operator switched off cannot be switched on over the bus', async () => {
    const { proxy } = await startEnabled({ mayWrite: false });
    expect(proxy.updateConfig({ AllowWrites: true }).ActiveConfig.AllowWrites).toBe(false);
    await expect(proxy.request({ Method: 'POST', Path: B, Body: '{}' }, 1_000)).rejects.toThrow(
      'writes are disabled',
    );
  });

  test('endpoints, allowlist and defaults are kept over a restart', async () => {
    const folder = tempFolder();
    const first = await startEnabled({ folder });
    first.proxy.updateConfig({ PathAllowlist: ['^/2.0/'], AllowWrites: false });
    await first.stop();
    const second = await start({ folder });
    expect((await second.call('GET', `${B}s`)).status).toBe(200);
    expect(second.proxy.updateConfig({}).ActiveConfig).toMatchObject({
      AllowWrites: false,
      PathAllowlist: expect.arrayContaining(['^/2.0/']) as string[],
    });
    expect(second.connection.defaults.get('UVQueueWorkItem')).toMatchObject({ MaxAttempts: 1 });
  });
});
