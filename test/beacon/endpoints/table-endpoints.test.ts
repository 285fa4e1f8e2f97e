/**
 * The less common routes of a table endpoint: upserts, rows in short, distinct rows, the schema,
 * and bounds.
 */
import { describe, expect, test } from 'vitest';
import { enableEndpoint } from '../../../beacon/capabilities/management.ts';
import { bounds } from '../../../beacon/bounds.ts';
import { execIn, rowsIn } from '../../kit/beacon/fixture.ts';
import { B, start, startEnabled } from '../../kit/beacon/proxy-kit.ts';

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

describe('reading', () => {
  async function startWithRows(): Promise<Awaited<ReturnType<typeof start>>> {
    const kit = await startEnabled();
    await kit.call(
      'POST',
      `${B}s`,
      ['a', 'b', 'c', 'd'].map((name, at) => ({
        WorkItemHash: name,
        Priority: at,
        Status: at % 2 ? 'Odd' : 'Even',
        RunID: 'r',
      })),
    );
    await kit.call('DELETE', `${B}/4`);
    return kit;
  }

  test('rows in short, with more columns, for a list to choose from, and each once', async () => {
    const { call } = await startWithRows();
    expect((await call('GET', `${B}s/Lite/1/1`)).body).toEqual([
      {
        Value: 'UVQueueWorkItem #2',
        IDUVQueueWorkItem: 2,
        UpdateDate: expect.any(String) as string,
      },
    ]);
    expect(
      (await call('GET', `${B}s/LiteExtended/Status,RunID/FilteredTo/FBV~WorkItemHash~EQ~a`)).body,
    ).toEqual([
      {
        Value: 'UVQueueWorkItem #1',
        IDUVQueueWorkItem: 1,
        UpdateDate: expect.any(String) as string,
        Status: 'Even',
        RunID: 'r',
      },
    ]);
    expect((await call('GET', `${B}Select/FilteredTo/FSF~Priority~DESC~0/0/2`)).body).toEqual([
      { Hash: 3, Value: 'UVQueueWorkItem #3' },
      { Hash: 2, Value: 'UVQueueWorkItem #2' },
    ]);
    expect((await call('GET', `${B}s/Distinct/Status`)).body).toEqual([
      { Status: 'Even' },
      { Status: 'Odd' },
    ]);
    expect(
      (await call('GET', `${B}s/Distinct/RunID,Status/FilteredTo/FSF~Status~DESC~0/0/1`)).body,
    ).toEqual([{ RunID: 'r', Status: 'Odd' }]);
    expect((await call('GET', `${B}s/Distinct/Nope`)).status).toBe(400);
    expect((await call('GET', `${B}s/By/Status/Even/1/1`)).body).toMatchObject([
      { WorkItemHash: 'c' },
    ]);
    expect((await call('GET', `${B}s/Count/By/Status/Even`)).body).toEqual({ Count: 2 });
  });

  test('the row with the highest value, of those that are there', async () => {
    const { call, path } = await startWithRows();
    expect((await call('GET', `${B}/Max/Priority`)).body).toMatchObject({
      WorkItemHash: 'c',
      Priority: 2,
    });
    expect((await call('GET', `${B}/Max/Nope`)).status).toBe(400);
    execIn(path, 'DELETE FROM UVQueueWorkItem');
    expect(await call('GET', `${B}/Max/Priority`)).toEqual({ status: 200, body: {} });
  });

  test('by day, whatever the time', async () => {
    const { call, path } = await startWithRows();
    execIn(
      path,
      "UPDATE UVQueueWorkItem SET UpdateDate = '2026-03-0' || IDUVQueueWorkItem || 'T23:59:59.999Z'",
    );
    const days = async (filter: string) =>
      (await call('GET', `${B}s/FilteredTo/${filter}`)).body.map((row) => row['IDUVQueueWorkItem']);
    expect(await days('FBD~UpdateDate~EQ~2026-03-02')).toEqual([2]);
    expect(await days('FBD~UpdateDate~GT~2026-03-01')).toEqual([2, 3]);
    expect(await days('FBD~UpdateDate~LE~2026-03-02')).toEqual([1, 2]);
    expect(await days('FBD~UpdateDate~NE~2026-03-02')).toEqual([1, 3]);
  });

  test('the schema, an empty row, and whether a body would fit', async () => {
    const { call, proxy } = await startEnabled();
    expect((await call('GET', `${B}/Schema`)).body).toMatchObject({
      title: 'UVQueueWorkItem',
      type: 'object',
      properties: {
        Status: { type: 'string', maxLength: 32, default: 'Pending' },
        Settings: { type: ['string', 'null'] },
        IDUVQueueWorkItem: { readOnly: true },
      },
    });
    expect((await call('GET', `${B}/Schema/New`)).body).toMatchObject({
      IDUVQueueWorkItem: 0,
      Status: 'Pending',
      MaxAttempts: 1,
    });
    expect((await call('POST', `${B}/Schema/Validate`, { Status: 'Fine' })).body).toEqual({
      Valid: true,
      Errors: [],
    });
    expect(
      (
        await call('POST', `${B}/Schema/Validate`, {
          Nope: 1,
          Priority: 'high',
          Status: 's'.repeat(40),
        })
      ).body,
    ).toMatchObject({
      Valid: false,
      Errors: [
        expect.stringContaining('Nope') as string,
        expect.stringContaining('Priority') as string,
        expect.stringContaining('at most 32') as string,
      ],
    });
    proxy.updateConfig({ AllowWrites: false });
    expect((await call('POST', `${B}/Schema/Validate`, {})).status).toBe(200);
  });

  test('a table whose name ends like a form of another is itself', async () => {
    const { call, connections, connection, path } = await start();
    execIn(
      path,
      'CREATE TABLE Item (ID INTEGER PRIMARY KEY, A TEXT); CREATE TABLE Items (ID INTEGER ' +
        'PRIMARY KEY, B TEXT); CREATE TABLE ItemSelect (ID INTEGER PRIMARY KEY, C TEXT);',
    );
    for (const name of ['Item', 'Items', 'ItemSelect'])
      await enableEndpoint(connections, connection, { TableName: name });
    expect((await call('POST', '/1.0/backend/Items', { B: 'b' })).body).toEqual({ ID: 1, B: 'b' });
    expect((await call('GET', '/1.0/backend/Itemss')).body).toEqual([{ ID: 1, B: 'b' }]);
    expect((await call('POST', '/1.0/backend/ItemSelect', { C: 'c' })).body).toEqual({
      ID: 1,
      C: 'c',
    });
    expect((await call('DELETE', '/1.0/backend/Items/1')).body).toEqual({ Count: 1 });
    expect((await call('GET', '/1.0/backend/Items/1')).status).toBe(404);
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
