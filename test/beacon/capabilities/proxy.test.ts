/**
 * MeadowProxy.Request over real tables: routes, statuses, the allowlist, and what is kept over a
 * restart.
 */
import { describe, expect, test } from 'vitest';
import { disableEndpoint, enableEndpoint } from '../../../beacon/capabilities/management.ts';
import { execIn, makeIncumbentDatabase, tempFolder } from '../../kit/beacon/fixture.ts';
import { B, start, startEnabled } from '../../kit/beacon/proxy-kit.ts';

describe('table endpoints', () => {
  test('insert, read, patch, delete and undelete a row', async () => {
    const { call } = await startEnabled();
    const made = await call('POST', B, {
      HubID: 'h',
      WorkItemHash: 'a',
      Settings: { deep: [1] },
      Priority: null,
      RetryAfter: 12,
    });
    expect(made.status).toBe(200);
    expect(made.body).toMatchObject({
      IDUVQueueWorkItem: 1,
      Status: 'Pending',
      Settings: '{"deep":[1]}',
      Priority: 0,
      RetryAfter: '12',
      Deleted: 0,
      MaxAttempts: 1,
    });
    expect((await call('GET', `${B}/1`)).body).toEqual(made.body);
    expect((await call('PUT', B, { IDUVQueueWorkItem: 1, Status: 'Running' })).body).toMatchObject({
      Status: 'Running',
      RetryAfter: '12',
    });
    expect((await call('PATCH', `${B}/1`, { Priority: 4 })).body).toMatchObject({
      Status: 'Running',
      Priority: 4,
    });
    expect(await call('DELETE', `${B}/1`)).toEqual({ status: 200, body: { Count: 1 } });
    expect((await call('DELETE', `${B}/1`)).status).toBe(404);
    expect((await call('GET', `${B}/1`)).status).toBe(404);
    expect((await call('PUT', B, { IDUVQueueWorkItem: 1, Status: 'No' })).status).toBe(404);
    expect((await call('GET', `${B}s`)).body).toEqual([]);
    expect((await call('GET', `${B}s/FilteredTo/FBV~Deleted~EQ~1`)).body).toHaveLength(1);
    expect(await call('GET', `${B}/Undelete/1`)).toEqual({ status: 200, body: { Count: 1 } });
    expect((await call('GET', `${B}/1`)).status).toBe(200);
  });

  test('defect 13: a soft-deleted row is brought back by a patch that names Deleted', async () => {
    const { call } = await startEnabled();
    await call('POST', B, { HubID: 'h', WorkItemHash: 'a' });
    await call('DELETE', `${B}/1`);
    expect(
      (await call('PUT', B, { IDUVQueueWorkItem: 1, Deleted: 0, Status: 'Back' })).body,
    ).toMatchObject({ Status: 'Back', Deleted: 0 });
  });

  test('defect 32: lists filter, sort, page and count beyond the first 250 rows', async () => {
    const { call } = await startEnabled();
    const rows = Array.from({ length: 300 }, (_, at) => ({
      HubID: 'h',
      WorkItemHash: `w${at}`,
      Priority: at,
      Status: at % 2 ? 'Odd' : 'Even',
    }));
    const made = await call('POST', `${B}s`, rows);
    expect(made.body.map((row) => row['Priority'])).toEqual(rows.map((row) => row.Priority));
    expect((await call('GET', `${B}s`)).body).toHaveLength(250);
    expect((await call('GET', `${B}s/0/10000`)).body).toHaveLength(300);
    expect(
      (await call('GET', `${B}s/FilteredTo/FBV~Status~EQ~Odd~FSF~Priority~DESC~0/1/2`)).body.map(
        (row) => row['Priority'],
      ),
    ).toEqual([297, 295]);
    expect((await call('GET', `${B}s/By/WorkItemHash/w299`)).body).toMatchObject([
      { Priority: 299 },
    ]);
    expect((await call('GET', `${B}s/Count`)).body).toEqual({ Count: 300 });
    expect((await call('GET', `${B}s/Count/FilteredTo/FBV~Status~EQ~Odd`)).body).toEqual({
      Count: 150,
    });
  });

  test('defect 37: a hash with ~ and quotes is found, and is no filter', async () => {
    const { call } = await startEnabled();
    const hash = `it's ~FBVOR~Status~EQ~Pending "x"/y?`;
    await call('POST', `${B}s`, [
      { HubID: 'h', WorkItemHash: hash },
      { HubID: 'h', WorkItemHash: 'other' },
    ]);
    const found = await call(
      'GET',
      `${B}s/FilteredTo/FBV~WorkItemHash~EQ~${encodeURIComponent(hash).replaceAll('~', '%7E')}`,
    );
    expect(found.body).toMatchObject([{ WorkItemHash: hash }]);
  });

  test('an array’s refused rows come back with their error and the others are stored', async () => {
    const { call } = await startEnabled();
    const { status, body } = await call('POST', `${B}s`, [
      { HubID: 'h', WorkItemHash: 'a' },
      { HubID: 'h', WorkItemHash: 'a' },
      { Nope: 1 },
      { HubID: 'h', WorkItemHash: 'b' },
    ]);
    expect(status).toBe(200);
    expect(
      body.map((row) => (row['Error'] as { StatusCode: number } | undefined)?.StatusCode),
    ).toEqual([undefined, 409, 400, undefined]);
    const updated = await call('PUT', `${B}s`, [
      { IDUVQueueWorkItem: 1, Status: 'X' },
      { IDUVQueueWorkItem: 99, Status: 'X' },
    ]);
    expect(updated.body).toMatchObject([{ Status: 'X' }, { Error: { StatusCode: 404 } }]);
  });

  test('defect 35: a miss, a refusal and a failure differ in their status', async () => {
    const { call, connections } = await startEnabled();
    await call('POST', B, { HubID: 'h', WorkItemHash: 'a' });
    const clash = await call('POST', B, { HubID: 'h', WorkItemHash: 'a' });
    expect(clash).toMatchObject({
      status: 409,
      body: { StatusCode: 409, Code: 'SQLITE_CONSTRAINT_UNIQUE' },
    });
    expect(clash.body['Error']).toMatch(/UNIQUE constraint failed/);
    expect((await call('POST', B, { Nope: 1, Neither: 2 })).body['Error']).toMatch(/Nope, Neither/);
    expect((await call('POST', B, { WorkItemHash: 'x'.repeat(200) })).status).toBe(422);
    expect((await call('POST', B, [])).status).toBe(400);
    expect((await call('GET', `${B}s/FilteredTo/FBV~Nope~EQ~1`)).status).toBe(400);
    expect((await call('GET', `${B}s/nonsense`)).status).toBe(404);
    expect((await call('GET', `${B}/7`)).status).toBe(404);
    expect((await call('OPTIONS', B)).status).toBe(405);
    expect((await call('PUT', B, { Status: 'X' })).status).toBe(400);
    await connections.close();
    expect((await call('GET', `${B}s`)).status).toBe(503);
  });

  test('defect 50: a column added by anybody can be used at once', async () => {
    const { call, path } = await startEnabled();
    expect((await call('POST', B, { WorkItemHash: 'a', Colour: 'green' })).status).toBe(400);
    execIn(path, 'ALTER TABLE UVQueueWorkItem ADD COLUMN Colour TEXT');
    expect((await call('POST', B, { WorkItemHash: 'a', Colour: 'green' })).body).toMatchObject({
      Colour: 'green',
    });
  });

  test('on a database of the incumbent left-out columns get the descriptor’s defaults', async () => {
    const { call } = await startEnabled({ prepare: makeIncumbentDatabase });
    expect((await call('POST', B, { WorkItemHash: 'new', MaxAttempts: null })).body).toMatchObject({
      Status: 'Pending',
      MaxAttempts: 1,
      HealthLabel: 'Unknown',
    });
  });
});

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
