/**
 * Recorded traffic through the real processes into real database servers: the rows equal the
 * independent fold, and those SQLite gets, with either carrier.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { subjects } from '../../contracts/subjects.ts';
import { compareWithFold, readRows } from '../kit/rows/compare.ts';
import { foldCalls } from '../kit/rows/fold.ts';
import { publish } from '../kit/processes/hub.ts';
import { TestMariadb } from '../kit/servers/mariadb.ts';
import { orderComplaints } from '../kit/rows/order.ts';
import { TestPostgres } from '../kit/servers/postgres.ts';
import { Stack } from '../kit/processes/stack.ts';
import { lookAt, type TestDatabase } from '../kit/servers/test-database.ts';
import { sampleWrites } from '../kit/rows/trace.ts';

const calls = sampleWrites(300);
const servers: { name: string; start: () => Promise<TestDatabase> }[] = [
  { name: 'PostgreSQL', start: () => TestPostgres.start() },
  { name: 'MariaDB', start: () => TestMariadb.start() },
];
const carriers = [
  { carrier: 'batch', beaconArgs: [] },
  { carrier: 'meadow-proxy', beaconArgs: ['--no-batch'] },
];

describe.for(servers)('the trace into $name', ({ start }) => {
  let server: TestDatabase;
  beforeAll(async () => {
    server = await start();
  }, 90_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  test.for(carriers)(
    'through $carrier equals the fold of the calls, each key in order, once and again (I3, I7)',
    { timeout: 120_000 },
    async ({ carrier, beaconArgs }) => {
      const database = await server.createDatabase();
      await using stack = await Stack.start({ beaconArgs, databaseUrl: server.url(database) });
      const published = await publish(stack.hub.client, calls);
      expect(published.refused).toEqual([]);
      const status = await stack.drained(90_000);
      expect(status.Queue.Carrier).toBe(carrier);
      expect(
        Object.values(status.Balance).map((lane) => [lane.Difference, lane.DeadLettered]),
      ).toEqual([
        [0, 0],
        [0, 0],
      ]);
      const before = await lookAt(server, database);
      expect(compareWithFold(before, foldCalls(calls, stack.hubId), stack.hubId).first).toEqual([]);
      expect(orderComplaints(before, stack.hubId, published.accepted)).toEqual([]);
      expect(readRows(before, 'UVQueueWorkItem').length).toBeGreaterThan(10);
      expect((await publish(stack.hub.client, calls)).duplicates).toBe(calls.length);
      await stack.drained();
      expect(await lookAt(server, database)).toEqual(before);
      const hash = String(readRows(before, 'UVQueueWorkItem')[0]?.['WorkItemHash']);
      const reply = await stack.hub.request(
        subjects.action(stack.hubId, 'queue', 'QP_GetWorkItemByHash'),
        JSON.stringify({ Settings: { WorkItemHash: hash } }),
      );
      expect(JSON.parse(Buffer.from(reply.data).toString())).toMatchObject({
        Success: true,
        WorkItem: { WorkItemHash: hash },
      });
    },
  );
});
