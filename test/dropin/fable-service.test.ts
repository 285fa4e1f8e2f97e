/**
 * Drop-in bridges made as the hub makes its services: with its log, its settings, its connection.
 */
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { connect as connectV2, headers as headersV2 } from 'nats-v2';
import * as natsV2 from 'nats-v2';
import type { NatsConnection } from '../../dropin/config.ts';
import { ManifestStoreBridge, QueuePersistenceBridge } from '../../dropin/bridges.ts';
import { ok, openBridges } from '../kit/processes/open-bridges.ts';

const { stack, kept, queueOf, manifestsOf } = openBridges();

describe('made as the hub makes its services', () => {
  const log: string[] = [];
  const hub = {
    isFable: true,
    getUUID: () => 'uuid-1',
    services: {},
    servicesMap: {},
    settings: { Tidemark: { HubID: 'hub1', TimeoutMs: 2_000 } },
    Logging: {
      info: (line: string) => log.push(`info ${line}`),
      warn: (line: string) => log.push(`warn ${line}`),
    },
  };

  test("(hub, options, hash): hub, log, options, UUID, Hash, serviceType, the hub's settings, its log", async () => {
    const queue = kept(
      new QueuePersistenceBridge(hub, { NatsURL: stack().nats.url, RemoteUser: 'ann' }, 'my-hash'),
    );
    expect(QueuePersistenceBridge.isFableService).toBe(true);
    expect(queue).toMatchObject({
      fable: hub,
      log: hub.Logging,
      UUID: 'uuid-1',
      Hash: 'my-hash',
      serviceType: 'UltravisorQueuePersistenceBridge',
      options: { RemoteUser: 'ann' },
    });
    expect(kept(new ManifestStoreBridge(hub, { NatsURL: stack().nats.url }))).toMatchObject({
      Hash: 'uuid-1',
      serviceType: 'UltravisorManifestStoreBridge',
    });
    expect(await queue.upsertWorkItem({ WorkItemHash: 'f1' })).toMatchObject(ok);
    // Nothing is said while all is well, but that what waits would not outlive this hub.
    expect(log).toEqual([
      expect.stringMatching(/^warn Tidemark queue bridge of hub hub1: .*in memory only/),
      expect.stringMatching(/^warn Tidemark manifest bridge of hub hub1: .*in memory only/),
    ]);
  });

  test("over a connection of the hub's own with the 2.x client, or with its copy of that client", async () => {
    const connection = await connectV2({ servers: stack().nats.url });
    const own = queueOf({
      Connection: connection as unknown as NatsConnection,
      Headers: headersV2,
    });
    expect(
      await own.upsertWorkItem({ WorkItemHash: 'v2', Result: 'r'.repeat(100_000) }),
    ).toMatchObject(ok);
    expect(await own.getWorkItemByHash('v2')).toMatchObject(ok);
    await own.close();
    expect(connection.isClosed()).toBe(false);
    expect(await own.upsertWorkItem({ WorkItemHash: 'late' })).toMatchObject({
      Available: false,
      Success: false,
      Reason: expect.stringContaining('closed') as string,
    });
    const other = queueOf({
      Connection: connection as unknown as NatsConnection,
      Headers: headersV2,
    });
    expect(await other.upsertWorkItem({ WorkItemHash: 'v2b' })).toMatchObject(ok);
    await connection.close();
    expect(await other.upsertWorkItem({ WorkItemHash: 'late' })).toMatchObject({
      Available: false,
      Success: false,
      Reason: expect.stringContaining('closed its connection') as string,
    });
    const copy = manifestsOf({ Nats: natsV2 });
    expect(await copy.upsertManifest({ Hash: 'v2' })).toMatchObject(ok);
  });

  test('require gives the same names', () => {
    const loaded = createRequire(import.meta.url)('../../dropin/bridges.cjs') as object;
    expect(Object.keys(loaded).toSorted()).toEqual([
      'ManifestStoreBridge',
      'QueuePersistenceBridge',
    ]);
  });
});
