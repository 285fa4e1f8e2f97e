/**
 * The less common routes of a table endpoint: upserts, rows in short, distinct rows, the schema,
 * and bounds.
 */
import { describe, expect, test } from 'vitest';
import { bounds } from '../../../beacon/bounds.ts';
import { execIn, rowsIn } from '../../kit/beacon/fixture.ts';
import { B, startEnabled } from '../../kit/beacon/proxy-kit.ts';

const statusesIn = (path: string) =>
  rowsIn(path, 'SELECT WorkItemHash, Status, Deleted FROM UVQueueWorkItem ORDER BY 1');

describe('upsert', () => {
  test('defect 12: a second upsert of a natural key changes the row, a first one makes it', async () => {
    const { call, path } = await startEnabled();
    const made = await call('PUT', `${B}/Upsert`, {
      HubID: 'h',
      WorkItemHash: 'a',
      Status: 'Waiting',
    });
    expect(made).toMatchObject({
      status: 200,
      body: { IDUVQueueWorkItem: 1, Status: 'Waiting', MaxAttempts: 1 },
    });
    const changed = await call('PUT', `${B}/Upsert`, {
      HubID: 'h',
      WorkItemHash: 'a',
      Status: 'Complete',
    });
    expect(changed).toMatchObject({
      status: 200,
      body: { IDUVQueueWorkItem: 1, Status: 'Complete' },
    });
    await call('PUT', `${B}/Upsert`, { HubID: 'other', WorkItemHash: 'a', Status: 'Theirs' });
    expect(rowsIn(path, 'SELECT HubID, Status FROM UVQueueWorkItem ORDER BY 1')).toEqual([
      { HubID: 'h', Status: 'Complete' },
      { HubID: 'other', Status: 'Theirs' },
    ]);
  });

  test('by number when a row has it, else by key; a key left out counts as it would be stored', async () => {
    const { call, path } = await startEnabled();
    await call('POST', B, { WorkItemHash: 'a', Status: 'One' });
    expect(
      (await call('PUT', `${B}/Upsert`, { IDUVQueueWorkItem: 1, WorkItemHash: 'b' })).body,
    ).toMatchObject({ IDUVQueueWorkItem: 1, WorkItemHash: 'b', Status: 'One' });
    expect(
      (
        await call('PUT', `${B}/Upsert`, {
          IDUVQueueWorkItem: 99,
          WorkItemHash: 'b',
          Status: 'Two',
        })
      ).body,
    ).toMatchObject({ IDUVQueueWorkItem: 1, Status: 'Two' });
    expect(
      (await call('PUT', `${B}/Upsert`, { IDUVQueueWorkItem: 0, WorkItemHash: 'c' })).body,
    ).toMatchObject({ IDUVQueueWorkItem: 2 });
    expect(statusesIn(path)).toHaveLength(2);
  });

  test('defect 13: an upsert brings a removed row back', async () => {
    const { call, path } = await startEnabled();
    await call('POST', B, { HubID: 'h', WorkItemHash: 'a' });
    await call('DELETE', `${B}/1`);
    expect(
      (await call('PUT', `${B}/Upsert`, { HubID: 'h', WorkItemHash: 'a', Status: 'Back' })).body,
    ).toMatchObject({ IDUVQueueWorkItem: 1, Status: 'Back', Deleted: 0 });
    await call('PUT', `${B}/Upsert`, { HubID: 'h', WorkItemHash: 'a', Deleted: 1 });
    expect(statusesIn(path)).toEqual([{ WorkItemHash: 'a', Status: 'Back', Deleted: 1 }]);
  });

  test('cannot merge two rows into one: with two unique keys of two rows it is a conflict', async () => {
    const { call, path } = await startEnabled();
    execIn(path, 'CREATE UNIQUE INDEX Second ON UVQueueWorkItem (RunHash)');
    await call('POST', `${B}s`, [
      { WorkItemHash: 'a', RunHash: 'r1' },
      { WorkItemHash: 'b', RunHash: 'r2' },
    ]);
    expect(await call('PUT', `${B}/Upsert`, { WorkItemHash: 'a', RunHash: 'r2' })).toMatchObject({
      status: 409,
      body: { Code: 'TWO_ROWS' },
    });
    expect(
      (await call('PUT', `${B}/Upsert`, { WorkItemHash: 'a', RunHash: 'r1', Status: 'Both' })).body,
    ).toMatchObject({ IDUVQueueWorkItem: 1, Status: 'Both' });
    expect(await call('PUT', `${B}/Upsert`, { IDUVQueueWorkItem: 1, RunHash: 'r2' })).toMatchObject(
      { status: 409, body: { Code: 'SQLITE_CONSTRAINT_UNIQUE' } },
    );
  });

  test('many: short rows of those that went well, counts in the headers, one key twice in one list', async () => {
    const { proxy, path } = await startEnabled();
    const rows = [
      { WorkItemHash: 'a', Status: '1' },
      { WorkItemHash: 'a', Status: '2' },
      { WorkItemHash: 'x'.repeat(200) },
      { Nope: 1 },
      { WorkItemHash: 'a', Status: '3' },
    ];
    const outputs = await proxy.request(
      { Method: 'PUT', Path: `${B}/Upserts`, Body: JSON.stringify(rows) },
      5_000,
    );
    expect(outputs.Headers).toMatchObject({
      'X-Meadow-Upsert-Total': '5',
      'X-Meadow-Upsert-Succeeded': '3',
      'X-Meadow-Upsert-Errored': '2',
    });
    expect(JSON.parse(outputs.Body)).toEqual(
      Array.from({ length: 3 }, () => ({
        Value: 'UVQueueWorkItem #1',
        IDUVQueueWorkItem: 1,
        UpdateDate: expect.any(String) as string,
      })),
    );
    expect(statusesIn(path)).toEqual([{ WorkItemHash: 'a', Status: '3', Deleted: 0 }]);
    const detailed = await proxy.request(
      { Method: 'PUT', Path: `${B}/Upserts/Detailed`, Body: JSON.stringify(rows) },
      5_000,
    );
    expect(JSON.parse(detailed.Body)).toMatchObject({
      Counts: { Total: 5, Succeeded: 3, Errored: 2 },
      UpsertedRecords: [
        { IDUVQueueWorkItem: 1 },
        { IDUVQueueWorkItem: 1 },
        { IDUVQueueWorkItem: 1 },
      ],
      ErrorRecords: [
        { Record: rows[2], Operation: 'Create', StatusCode: 422 },
        {
          Record: { Nope: 1 },
          Operation: 'Create',
          StatusCode: 400,
          Error: expect.stringContaining('Nope') as string,
        },
      ],
    });
  });

  test('two at once of one new key make one row', async () => {
    const { call, path } = await startEnabled();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        call('PUT', `${B}/Upsert`, { WorkItemHash: 'same', Priority: at }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(statusesIn(path)).toHaveLength(1);
  });
});

test.each([
  ['GET', '/Upsert', 405],
  ['PUT', '/Schema', 405],
  ['GET', '/Schema/Validate', 405],
  ['POST', '/Undelete/1', 405],
  ['PUT', '/Max/Status', 405],
  ['GET', '/Nope/1', 404],
  ['GET', '/1/2/3', 404],
  ['PUT', 's/1', 404],
  ['DELETE', 's', 405],
  ['POST', 'Select', 405],
  ['GET', 'Select/1', 404],
  ['GET', 's/LiteExtended', 404],
  ['GET', 's/0/many', 400],
  ['GET', 's/By/Status', 404],
  ['GET', 's/FilteredTo/FBV~Status', 400],
  ['GET', '/one', 400],
  ['TRACE', '', 405],
])('%s <B>%s: %i', async (method, rest, status) => {
  const { call } = await startEnabled();
  expect((await call(method, `${B}${rest}`)).status).toBe(status);
});

test('too much is refused: rows of one list, characters of a body, of a path, of an answer (I9)', async () => {
  const { call, proxy } = await startEnabled();
  const rows = Array.from({ length: bounds.arrayRowsMax + 1 }, () => ({}));
  for (const [method, path] of [
    ['POST', `${B}s`],
    ['PUT', `${B}s`],
    ['PUT', `${B}/Upserts`],
  ] as const)
    expect((await call(method, path, rows)).status).toBe(413);
  await expect(
    proxy.request(
      { Method: 'GET', Path: `${B}s/By/Status/${'x'.repeat(bounds.pathCharsMax)}` },
      5_000,
    ),
  ).rejects.toMatchObject({ code: 'TOO_LARGE' });
  const text = 'x'.repeat(33 * 1024 * 1024);
  for (const hash of ['a', 'b'])
    expect((await call('POST', B, { WorkItemHash: hash, Settings: text })).status).toBe(200);
  expect((await call('GET', `${B}s`)).status).toBe(413);
});
