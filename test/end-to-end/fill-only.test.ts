/**
 * Writes that only fill, on real servers: what a hub sends of items it has not sent before, and
 * what an import brings in, must not go over what is in the database.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestMariadb } from '../kit/servers/mariadb.ts';
import { TestPostgres } from '../kit/servers/postgres.ts';
import { Stack } from '../kit/processes/stack.ts';
import type { TestDatabase } from '../kit/servers/test-database.ts';

describe.each([
  { name: 'PostgreSQL', start: (): Promise<TestDatabase> => TestPostgres.start() },
  { name: 'MariaDB', start: (): Promise<TestDatabase> => TestMariadb.start() },
])('on $name a write with FillOnly', ({ start }) => {
  let server: TestDatabase;
  let database = '';
  let stack: Stack;
  beforeAll(async () => {
    server = await start();
    database = await server.createDatabase();
    stack = await Stack.start({ databaseUrl: server.url(database) });
  }, 180_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  const filling = { FillOnly: true };
  const whole = {
    RunID: 'run-1',
    Capability: 'Shell',
    Settings: { Command: 'ls' },
    Status: 'Pending',
    Priority: 7,
    Health: 0.5,
    EnqueuedAt: '2026-01-01T00:00:00.000Z',
  };
  const row = async (sql: string) => (await server.query(sql, database))[0];
  const item = (hash: string) =>
    row(`select * from "UVQueueWorkItem" where "WorkItemHash" = '${hash}'`);

  test('makes the row that lacks', async () => {
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'new', ...whole }, filling);
    await stack.drained();
    expect(await item('new')).toMatchObject({ ...whole, Settings: stored(whole.Settings) });
  });

  test('fills what is empty, and leaves what is not, also when it comes again', async () => {
    const { client } = stack.hub;
    await client.updateWorkItem('old', { Status: 'Running', Priority: 3, RunID: '' });
    await stack.drained();
    const sent = { WorkItemHash: 'old', ...whole };
    for (const again of [sent, { ...sent, Capability: 'Other', Health: 0.25 }]) {
      await client.upsertWorkItem(again, filling);
      await stack.drained();
      const { Settings: _untouched, ...filled } = whole;
      expect(await item('old')).toMatchObject({ ...filled, Status: 'Running', Priority: 3 });
    }
  });

  test('comes between others of its key, in one batch with them, and loses nothing of them', async () => {
    const { client } = stack.hub;
    await stack.control('pause');
    await client.upsertWorkItem({ WorkItemHash: 'mixed', Status: 'Pending' });
    await client.upsertWorkItem({ WorkItemHash: 'mixed', ...whole, Status: 'Error' }, filling);
    await client.updateWorkItem('mixed', { Status: 'Complete', Priority: 0 });
    await stack.control('resume');
    await stack.drained();
    expect(await item('mixed')).toMatchObject({ RunID: 'run-1', Status: 'Complete', Priority: 0 });
  });

  test('leaves a run that is there as it is, and makes one that lacks', async () => {
    const { client } = stack.hub;
    await client.upsertManifest({ Hash: 'there', Status: 'Complete', Output: { from: 'hub' } });
    for (const Hash of ['there', 'lacks'])
      await client.upsertManifest({ Hash, Status: 'Error', Output: { from: 'file' } }, filling);
    await stack.drained();
    const outputOf = async (hash: string) => {
      const { Status, ManifestJSON } =
        (await row(`select * from "UVManifest" where "Hash" = '${hash}'`)) ?? {};
      const manifest = (
        typeof ManifestJSON === 'string' ? JSON.parse(ManifestJSON) : ManifestJSON
      ) as { Output: unknown };
      return [Status, manifest.Output];
    };
    expect(await outputOf('there')).toEqual(['Complete', { from: 'hub' }]);
    expect(await outputOf('lacks')).toEqual(['Error', { from: 'file' }]);
  });
});

/** JSON as text or, where the server has a type for it, as it is. */
function stored(value: object): unknown {
  return expect.toSatisfy((found) => {
    const parsed: unknown = typeof found === 'string' ? JSON.parse(found) : found;
    return JSON.stringify(parsed) === JSON.stringify(value);
  });
}
