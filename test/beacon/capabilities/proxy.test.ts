/**
 * MeadowProxy.Request over real tables: routes, statuses, the allowlist, and what is kept over a
 * restart.
 */
import { describe, expect, test } from 'vitest';
import { execIn, makeIncumbentDatabase } from '../../kit/beacon/fixture.ts';
import { B, startEnabled } from '../../kit/beacon/proxy-kit.ts';

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
