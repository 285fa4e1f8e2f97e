/**
 * The table endpoints over HTTP: the same rows, behind a token, within bounds, and gone with the
 * beacon.
 */
import { readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { request as rawRequest } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { BeaconConfig } from '../../../beacon/databases/config.ts';
import { checkBeaconConfig } from '../../../beacon/databases/config.ts';
import { readAudit } from '../../../beacon/databases/state.ts';
import { startTidemark } from '../../kit/processes/cli-fixture.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { until } from '../../kit/until.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';
import { B, startHttpOn } from '../../kit/beacon/over-http.ts';
import { startOn, withBus } from '../../kit/beacon/with-bus.ts';

let nats: TestNats;
let bus: Bus;
withBus((...on) => {
  [nats, bus] = on;
});

const start = (more: Partial<BeaconConfig> = {}) => startHttpOn(nats, bus, more);

describe('over HTTP', () => {
  test('the same endpoints, statuses and headers as MeadowProxy', async () => {
    const { call } = await start();
    expect(await call('POST', B, { WorkItemHash: 'a~b/c?d', Status: 'Pending' })).toMatchObject({
      status: 200,
      body: { IDUVQueueWorkItem: 1, MaxAttempts: 1 },
    });
    expect(
      (
        await call(
          'GET',
          `${B}s/FilteredTo/FBV~WorkItemHash~EQ~${encodeURIComponent('a~b/c?d').replaceAll('~', '%7E')}`,
        )
      ).body,
    ).toMatchObject([{ WorkItemHash: 'a~b/c?d' }]);
    const { headers } = await call('PUT', `${B}/Upserts`, [{ WorkItemHash: 'b' }]);
    expect([headers.get('content-type'), headers.get('X-Meadow-Upsert-Succeeded')]).toEqual([
      'application/json',
      '1',
    ]);
    expect((await call('POST', B, { WorkItemHash: 'b' })).status).toBe(409);
    expect((await call('POST', B, { WorkItemHash: 'x'.repeat(200) })).status).toBe(422);
    expect((await call('POST', B, '{')).status).toBe(400);
    expect((await call('GET', `${B}/7`)).status).toBe(404);
    expect((await call('GET', '/1.0/backend/UVManifests')).status).toBe(404);
    expect(await call('GET', '/1.0/Backend/UVManifests')).toMatchObject({
      status: 403,
      body: { Error: 'MeadowProxy: path is not in the allowlist.' },
    });
    expect((await call('GET', '/nope')).status).toBe(404);
    const head = await fetch((await start()).beacon.httpUrl + `${B}s`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('reading on loopback is open, changing needs the token, also where a GET changes', async () => {
    const { call, kit, token } = await start().then((one) => ({ ...one, kit: one }));
    const without = (method: string, path: string, header?: string) =>
      call(
        method,
        path,
        method === 'GET' ? undefined : {},
        header === undefined ? {} : { Authorization: header },
      );
    expect((await without('GET', `${B}s`)).status).toBe(200);
    for (const [method, path] of [
      ['POST', B],
      ['PUT', B],
      ['PATCH', `${B}/1`],
      ['DELETE', `${B}/1`],
      ['PUT', `${B}/Upsert`],
      ['GET', `${B}/Undelete/1`],
      ['POST', '/nope'],
    ] as const) {
      for (const header of [
        undefined,
        'Bearer ',
        'Bearer no',
        `Basic ${token}`,
        `bearer ${token}`,
        `Bearer ${token}x`,
        token,
      ])
        expect([method, path, header, (await without(method, path, header)).status]).toEqual([
          method,
          path,
          header,
          401,
        ]);
    }
    expect(statSync(join(kit.config.dataDir, 'token')).mode & 0o777).toBe(0o600);
  });

  test('beyond loopback everything needs the token, and without one of the operator’s it does not start', async () => {
    const config = {
      beaconId: 'x',
      databases: ['sqlite:x'],
      dataDir: 'x',
      isBatchOn: true,
      tags: {},
      http: '0.0.0.0:0',
    };
    expect(() => checkBeaconConfig(config)).toThrow('set TIDEMARK_TOKEN');
    expect(() => checkBeaconConfig({ ...config, http: '127.0.0.1:x' })).toThrow(
      'expected host:port',
    );
    const { call } = await start({ http: '0.0.0.0:0', token: 'secret' });
    expect((await call('GET', `${B}s`, undefined, {})).status).toBe(401);
    expect((await call('GET', '/readyz', undefined, {})).status).toBe(401);
    expect((await call('GET', `${B}s`)).status).toBe(200);
  });

  test('AllowWrites and the body’s bound hold here too', async () => {
    const { call, ask } = await start();
    await ask('DataBeaconManagement', 'UpdateProxyConfig', {
      AllowWrites: false,
      BodyBytesMax: 100,
    });
    expect(await call('POST', B, { WorkItemHash: 'a' })).toMatchObject({
      status: 403,
      body: { Error: expect.stringContaining('writes are disabled') as string },
    });
    await ask('DataBeaconManagement', 'UpdateProxyConfig', { AllowWrites: true });
    expect((await call('POST', B, { WorkItemHash: 'a', Settings: 'x'.repeat(200) })).status).toBe(
      413,
    );
    expect((await call('GET', `${B}s/By/Status/${'x'.repeat(200_000)}`)).status).toBe(200);
    expect((await call('GET', `${B}s/By/Status/${'x'.repeat(265_000)}`)).status).toBe(413);
  });

  test('dots and escapes in a path are not resolved', async () => {
    const { kit, token } = await start().then((one) => ({ kit: one, token: one.token }));
    const raw = (path: string) =>
      new Promise<number>((resolve, reject) => {
        rawRequest(
          kit.beacon.httpUrl ?? '',
          { path, headers: { Authorization: `Bearer ${token}` } },
          (response) => resolve(response.resume().statusCode ?? 0),
        )
          .on('error', reject)
          .end();
      });
    for (const path of [
      '/1.0/backend/../backend/UVQueueWorkItems',
      '/1.0/backend/%2e%2e/backend/UVQueueWorkItems',
      '/1.0//backend/UVQueueWorkItems',
      '/1.0/backend/UVQueueWorkItem%73',
    ])
      expect([path, await raw(path)]).not.toEqual([path, 200]);
    expect(await raw(`${B}s/By/WorkItemHash/..`)).toBe(200);
  });

  test('says whether it lives and whether its databases are there, and audits who asked', async () => {
    const { call, config, beacon } = await start();
    expect([(await call('GET', '/livez')).status, (await call('GET', '/readyz')).status]).toEqual([
      200, 200,
    ]);
    await call('DELETE', `${B}/5`, undefined, {
      Authorization: `Bearer ${readFileSync(join(config.dataDir, 'token'), 'utf8').trim()}`,
      'X-Beacon-User': 'ann',
    });
    const url = beacon.httpUrl ?? '';
    await beacon.drain();
    await expect(fetch(url)).rejects.toThrow('fetch failed');
    expect(readAudit(config.dataDir, { user: 'ann', limit: 5 })).toEqual([]);
    expect(readAudit(config.dataDir, { user: 'operator', limit: 5 })).toMatchObject([
      {
        capability: 'HTTP',
        action: 'DELETE',
        detail: expect.stringMatching(/^for "ann" DELETE /) as string,
        connection: 1,
        table: 'UVQueueWorkItem',
        outcome: '404',
      },
    ]);
  });

  test('not ready while a database is away', async () => {
    const folder = tempFolder();
    const { ask, call } = await start({ createConnections: folder });
    await ask('DataBeaconManagement', 'CreateConnection', {
      Name: 'Far',
      Type: 'SQLite',
      Config: 'far.db',
    });
    rmSync(join(folder, 'far.db'));
    symlinkSync('/dev/null', join(folder, 'far.db'));
    expect(await call('GET', '/readyz')).toMatchObject({
      status: 503,
      body: { text: 'away: Far' },
    });
    expect((await call('GET', '/livez')).status).toBe(200);
  });

  test.each([
    ['a flag', ['--http', '127.0.0.1:0'], {}],
    ['the environment', [], { TIDEMARK_BEACON_HTTP: '127.0.0.1:0', TIDEMARK_HTTP: '192.0.2.1:80' }],
  ])(
    'is switched on by %s of the command line, with the operator’s token',
    async (_, flags, env) => {
      const folder = tempFolder();
      const { child, out, ended } = startTidemark(
        [
          'beacon',
          '--id',
          'db-http',
          '--db',
          `sqlite:${join(folder, 'a.db')}`,
          '--data',
          join(folder, 'own'),
          '--nats',
          nats.url,
          ...flags,
        ],
        { env: { TIDEMARK_TOKEN: 'secret', ...env } },
      );
      try {
        const url = await until('its URL', () => /"http":"([^"]+)"/.exec(out.stderr)?.[1]);
        expect((await fetch(`${url}/livez`)).status).toBe(200);
        expect((await fetch(`${url}${B}`, { method: 'POST', body: '{}' })).status).toBe(401);
        expect(
          (
            await fetch(`${url}${B}`, {
              method: 'POST',
              body: '{}',
              headers: { Authorization: 'Bearer secret' },
            })
          ).status,
        ).toBe(404);
      } finally {
        child.kill('SIGTERM');
      }
      expect((await ended).code).toBe(0);
      expect(out.stderr).not.toContain('secret');
    },
  );

  test('is off unless it is switched on', async () => {
    expect((await startOn(nats, bus)).beacon.httpUrl).toBeNull();
  });
});
