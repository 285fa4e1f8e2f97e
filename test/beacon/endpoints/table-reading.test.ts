/** What table endpoints give back: records in short, aggregates, days, schemas, empty rows. */
import { describe, expect, test } from 'vitest';
import { enableEndpoint } from '../../../beacon/capabilities/management.ts';
import { execIn } from '../../kit/beacon/fixture.ts';
import { B, start, startEnabled } from '../../kit/beacon/proxy-kit.ts';

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
