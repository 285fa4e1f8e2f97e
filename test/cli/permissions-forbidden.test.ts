/** What nobody may do on a bus that permits what `tidemark permissions` prints, role by subject. */
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inboxOf } from '../../contracts/subjects.ts';
import { type Role, startPermitted } from '../kit/servers/permitted-nats.ts';
import type { SecuredNats } from '../kit/servers/secured-nats.ts';
import { until } from '../kit/until.ts';

const others = ['tidemark-worker hub1', 'databeacon db-1', 'tidemark-cli', 'tidemark-hub hub1'];
const inboxes = (mine: string) =>
  others.filter((name) => name !== mine).map((name) => `${inboxOf(name)}.>`);

/** Role -> subjects it may not publish to, and those it may not listen on. */
const forbidden: Record<Role, { publish: string[]; subscribe: string[] }> = {
  worker: {
    publish: [
      // Another hub's rows, and anybody's without saying whose.
      'mesh.db-1.DataBeaconBatch.Apply.hub2',
      'mesh.db-1.DataBeaconBatch.Mark.hub2',
      'mesh.db-1.MeadowProxy.Request.hub2',
      'mesh.db-1.DataBeaconBatch.chunk.hub2',
      'mesh.db-1.DataBeaconBatch.Apply',
      'mesh.db-1.MeadowProxy.Request',
      // What takes away, and what an operator alone asks.
      'mesh.db-1.DataBeaconManagement.DisableEndpoint.hub1',
      'mesh.db-1.DataBeaconManagement.CreateConnection.hub1',
      'mesh.db-1.DataBeaconManagement.CreateConnection',
      'mesh.db-1.DataBeaconManagement.UpdateProxyConfig',
      'mesh.db-1.DataBeaconSchema.EnsureSchema',
      'mesh.db-1.DataBeaconAccess.QueryTable.hub1',
      'mesh.db-1.DataBeaconAccess.QueryTable',
      // In the name of a beacon, another worker's state, another hub's writes.
      'mesh.presence.db-1',
      'mesh.presence',
      'tidemark.hub2.event.state',
      'tidemark.hub2.control.assign',
      'tidemark.hub2.control.drain',
      'tidemark.hub2.queue.QP_UpsertWorkItem',
      'tidemark-in.hub2.queue.QP_UpsertWorkItem',
      '$JS.API.STREAM.DELETE.TIDEMARK_IN_hub1',
      '$JS.API.STREAM.INFO.TIDEMARK_IN_hub2',
    ],
    subscribe: [
      'mesh.db-1.DataBeaconBatch.*.*',
      'mesh.>',
      'tidemark.hub2.queue.*',
      'tidemark.hub2.control.*',
      ...inboxes('tidemark-worker hub1'),
    ],
  },
  beacon: {
    publish: [
      'mesh.presence.db-2',
      'mesh.presence',
      'mesh.db-2.DataBeaconBatch.Apply.hub1',
      'mesh.db-1.DataBeaconBatch.Apply.hub1',
      'tidemark.hub1.queue.QP_UpsertWorkItem',
      'tidemark.hub1.control.assign',
      'tidemark.hub1.event.state',
      'tidemark-in.hub1.queue.QP_UpsertWorkItem',
      '_INBOX.tidemark-cli.anything',
      '$SRV.PING',
    ],
    subscribe: [
      'mesh.db-2.DataBeaconBatch.*.*',
      'mesh.db-2.MeadowProxy.*.*',
      'mesh.presence.*',
      'tidemark.hub1.queue.*',
      ...inboxes('databeacon db-1'),
    ],
  },
  second: {
    publish: ['mesh.presence.db-1', 'mesh.db-1.DataBeaconBatch.Apply.hub1'],
    subscribe: ['mesh.db-1.DataBeaconBatch.*.*', 'mesh.db-1.DataBeaconSchema.*'],
  },
  hub: {
    publish: [
      'mesh.db-1.DataBeaconBatch.Apply.hub1',
      'mesh.presence.db-1',
      'tidemark.hub2.queue.QP_UpsertWorkItem',
      'tidemark.hub2.manifest.MS_UpsertManifest',
      'tidemark.hub2.queue.batch',
      'tidemark-in.hub2.queue.QP_UpsertWorkItem',
      'tidemark.hub1.control.clear',
      'tidemark.hub1.control.status',
      'tidemark.hub1.event.state',
    ],
    subscribe: [
      'tidemark.hub1.control.*',
      'tidemark.hub1.queue.*',
      'mesh.>',
      '_INBOX.>',
      ...inboxes('tidemark-hub hub1'),
    ],
  },
  dropin: {
    publish: [
      'tidemark.hub1.control.assign',
      'tidemark.hub1.control.dead-letters',
      'tidemark.hub2.control.status',
      'tidemark.hub2.queue.QP_UpsertWorkItem',
      'mesh.db-1.MeadowProxy.Request.hub1',
      'mesh.presence.db-1',
    ],
    subscribe: ['tidemark.hub2.event.state', 'tidemark.hub1.queue.*', ...inboxes('')],
  },
  operator: {
    publish: [
      'tidemark.hub1.queue.QP_UpsertWorkItem',
      'tidemark.hub2.control.status',
      'mesh.db-1.DataBeaconBatch.Apply.hub1',
      'mesh.db-1.DataBeaconManagement.CreateConnection',
      'mesh.presence.db-1',
      '$JS.API.STREAM.DELETE.TIDEMARK_IN_hub1',
    ],
    subscribe: ['tidemark.hub1.queue.*', 'mesh.db-1.>', ...inboxes('tidemark-cli')],
  },
};
const acts = Object.entries(forbidden).flatMap(([role, { publish, subscribe }]) => [
  ...publish.map((subject) => [role as Role, 'Publish', subject] as const),
  ...subscribe.map((subject) => [role as Role, 'Subscription', subject] as const),
]);

let nats: SecuredNats;
const connections = new Map<Role, NatsConnection>();
beforeAll(async () => {
  nats = await startPermitted();
  for (const role of Object.keys(forbidden) as Role[])
    connections.set(role, await connect({ servers: nats.url, user: role, pass: 'pw' }));
}, 120_000);
afterAll(async () => {
  await Promise.all([...connections.values()].map((one) => one.close()));
  await nats?.[Symbol.asyncDispose]();
});

test('there are sixty of them at least', () => {
  expect(acts.length).toBeGreaterThanOrEqual(60);
});

test.each(acts)('%s is refused: %s %s (I14)', async (role, what, subject) => {
  const connection = connections.get(role) as NatsConnection;
  if (what === 'Publish') connection.publish(subject, 'x');
  else connection.subscribe(subject, { callback: () => undefined });
  await connection.flush();
  await until('it is refused', () =>
    nats.log
      .split('\n')
      .some((line) =>
        [`${what} Violation`, `"${role}"`, `"${subject}"`].every((word) => line.includes(word)),
      ),
  );
});
