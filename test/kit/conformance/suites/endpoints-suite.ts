/**
 * Table endpoints on any engine: one row, lists, filters, arrays, and what is refused with which
 * status.
 */
import { describe, expect, test } from 'vitest';
import type { RunningBackend } from '../backends.ts';
import type { Shared } from '../desk.ts';
import { endpointsFor } from '../endpoints.ts';
import { makeIncumbent } from '../incumbent.ts';
import { filterTests } from './endpoint-filters.ts';

const T = 'UVQueueWorkItem';
/** In the order of their characters, which is no language's. */
const sorted = [
  '',
  ' ',
  '-',
  '10',
  '9',
  'A',
  'B',
  'Z',
  '_',
  'a',
  'a ',
  'aB',
  'aa',
  'b',
  'z',
  'É',
  'é',
  '￿',
  '\u{1F600}',
];

export function endpointsSuite(on: () => Shared): void {
  const backend = (): RunningBackend => on().backend;
  describe('endpoints', () => {
    rowTests(backend);
    listTests(backend);
    filterTests(backend);
    refusalTests(backend);
  });
}

function rowTests(backend: () => RunningBackend): void {
  test('insert, read, patch, delete and undelete a row', async () => {
    const { call, clock } = await endpointsFor(backend());
    const made = await call('POST', T, {
      HubID: 'h',
      WorkItemHash: 'a',
      Settings: { deep: [1] },
      Priority: null,
      RetryAfter: 12,
      Health: 0.1234,
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
      Health: 0.1234,
      CancelRequested: 0,
      CreateDate: '2026-11-21T08:00:00.000Z',
      UpdateDate: '2026-11-21T08:00:00.000Z',
    });
    expect((await call('GET', `${T}/1`)).body).toEqual(made.body);
    await clock.advance(1_234);
    expect((await call('PUT', T, { IDUVQueueWorkItem: 1, Status: 'Running' })).body).toEqual({
      ...made.body,
      Status: 'Running',
      UpdateDate: '2026-11-21T08:00:01.234Z',
    });
    expect((await call('PATCH', `${T}/1`, { Priority: 4 })).body).toMatchObject({
      Status: 'Running',
      Priority: 4,
    });
    expect((await call('PATCH', `${T}/1`, { Priority: 4 })).body).toMatchObject({
      Status: 'Running',
      Priority: 4,
    });
    expect(await call('DELETE', `${T}/1`)).toEqual({ status: 200, body: { Count: 1 } });
    expect((await call('DELETE', `${T}/1`)).status).toBe(404);
    expect((await call('GET', `${T}/1`)).status).toBe(404);
    expect((await call('PUT', T, { IDUVQueueWorkItem: 1, Status: 'No' })).status).toBe(404);
    expect((await call('GET', `${T}s`)).body).toEqual([]);
    expect((await call('GET', `${T}s/FilteredTo/FBV~Deleted~EQ~1`)).body).toHaveLength(1);
    expect(await call('GET', `${T}/Undelete/1`)).toEqual({ status: 200, body: { Count: 1 } });
    expect((await call('GET', `${T}/1`)).body).toMatchObject({ Status: 'Running', Deleted: 0 });
  });

  test('defect 13: a soft-deleted row is brought back by a patch that names Deleted', async () => {
    const { call } = await endpointsFor(backend());
    await call('POST', T, { HubID: 'h', WorkItemHash: 'a' });
    await call('DELETE', `${T}/1`);
    expect(
      (await call('PUT', T, { IDUVQueueWorkItem: 1, Deleted: 0, Status: 'Back' })).body,
    ).toMatchObject({ Status: 'Back', Deleted: 0 });
  });

  test('defect 12: an upsert changes the row of its natural key, or makes it', async () => {
    const { call, list } = await endpointsFor(backend());
    const first = await call('PUT', `${T}/Upsert`, {
      HubID: 'h',
      WorkItemHash: 'a',
      Status: 'One',
      Priority: 2,
    });
    expect(first.body).toMatchObject({ IDUVQueueWorkItem: 1, Status: 'One' });
    expect(
      (await call('PUT', `${T}/Upsert`, { HubID: 'h', WorkItemHash: 'a', Status: 'Two' })).body,
    ).toMatchObject({ IDUVQueueWorkItem: 1, Status: 'Two', Priority: 2 });
    await call('PUT', `${T}/Upserts`, [
      { HubID: 'h', WorkItemHash: 'b', Status: 'New' },
      { HubID: 'h', WorkItemHash: 'A', Status: 'Other' },
      { HubID: 'h', WorkItemHash: 'a', Status: 'Three' },
    ]);
    expect((await list(`${T}s`)).map((row) => [row['WorkItemHash'], row['Status']])).toEqual([
      ['a', 'Three'],
      ['b', 'New'],
      ['A', 'Other'],
    ]);
  });

  test('on a database of the incumbent left-out columns get the descriptor’s defaults', async () => {
    const { call } = await endpointsFor(backend(), (place) => makeIncumbent(backend().kind, place));
    expect(
      (await call('POST', T, { HubID: 'h', WorkItemHash: 'new', MaxAttempts: null })).body,
    ).toMatchObject({ Status: 'Pending', MaxAttempts: 1, HealthLabel: 'Unknown', Settings: '{}' });
    expect((await call('GET', `${T}s/By/WorkItemHash/Old-1`)).body).toMatchObject(
      [{ Status: 'Running', Health: 0.25, HubID: '', CreateDate: '2026-01-02T03:04:05.000Z' }].map(
        (row) =>
          backend().kind === 'sqlite' ? { ...row, CreateDate: '2026-01-02 03:04:05' } : row,
      ),
    );
  });

  test('defect 50: a column added by anybody can be used at once', async () => {
    const { call, place } = await endpointsFor(backend());
    expect((await call('POST', T, { WorkItemHash: 'a', Colour: 'green' })).status).toBe(400);
    await place.query(`alter table "${T}" add "Colour" varchar(8)`);
    expect((await call('POST', T, { WorkItemHash: 'a', Colour: 'green' })).body).toMatchObject({
      Colour: 'green',
    });
  });
}

function listTests(backend: () => RunningBackend): void {
  test('defect 32: lists filter, sort, page and count beyond the first 250 rows', async () => {
    const { call, list } = await endpointsFor(backend());
    const rows = Array.from({ length: 600 }, (_, at) => ({
      HubID: 'h',
      WorkItemHash: `w${at}`,
      Priority: at,
      Status: at % 2 ? 'Odd' : 'Even',
    }));
    const made = await call('POST', `${T}s`, rows);
    expect(made.body.map((row) => row['Priority'])).toEqual(rows.map((row) => row.Priority));
    expect(await list(`${T}s`)).toHaveLength(250);
    expect(await list(`${T}s/0/10000`)).toHaveLength(600);
    expect(
      (await list(`${T}s/FilteredTo/FBV~Status~EQ~Odd~FSF~Priority~DESC~0/1/2`)).map(
        (row) => row['Priority'],
      ),
    ).toEqual([597, 595]);
    expect(await list(`${T}s/By/WorkItemHash/w599`)).toMatchObject([{ Priority: 599 }]);
    expect((await call('GET', `${T}s/Count`)).body).toEqual({ Count: 600 });
    expect((await call('GET', `${T}s/Count/FilteredTo/FBV~Status~EQ~Odd`)).body).toEqual({
      Count: 300,
    });
    expect(
      (await list(`${T}s/FilteredTo/FSF~Status~ASC~0~FSF~Priority~DESC~0/299/2`)).map(
        (row) => row['Priority'],
      ),
    ).toEqual([0, 599]);
    const pages = await Promise.all(
      [0, 1, 2].map((page) => list(`${T}s/FilteredTo/FSF~Status~DESC~0/${page * 200}/200`)),
    );
    expect(new Set(pages.flat().map((row) => row['Priority'])).size).toBe(600);
    expect((await call('GET', `${T}/Max/Priority`)).body).toMatchObject({ WorkItemHash: 'w599' });
    expect(await list(`${T}s/Distinct/Status/FilteredTo/FSF~Status~DESC~0`)).toEqual([
      { Status: 'Odd' },
      { Status: 'Even' },
    ]);
  });

  test('text is sorted and compared by its characters, as the worker does it', async () => {
    const { call, list } = await endpointsFor(backend());
    await call(
      'POST',
      `${T}s`,
      sorted.toReversed().map((Status, at) => ({ HubID: 'h', WorkItemHash: `w${at}`, Status })),
    );
    const statuses = async (filter: string) =>
      (await list(`${T}s/FilteredTo/${filter}`)).map((row) => row['Status']);
    expect(await statuses('FSF~Status~ASC~0')).toEqual(sorted);
    expect(await statuses('FSF~Status~DESC~0')).toEqual(sorted.toReversed());
    expect(await statuses('FBV~Status~GT~a~FSF~Status~ASC~0')).toEqual(
      sorted.slice(sorted.indexOf('a') + 1),
    );
    expect(await statuses('FBV~Status~LE~B~FSF~Status~ASC~0')).toEqual(
      sorted.slice(0, sorted.indexOf('B') + 1),
    );
    expect(await statuses('FBV~Status~EQ~a')).toEqual(['a']);
    expect(await statuses('FBL~Status~INN~a,%20,Z~FSF~Status~ASC~0')).toEqual([' ', 'Z', 'a']);
  });
}

function refusalTests(backend: () => RunningBackend): void {
  test('defect 35, defect 44: a miss, a refusal and a failure differ in their status, and each says why', async () => {
    const { call, connection } = await endpointsFor(backend());
    await call('POST', T, { HubID: 'h', WorkItemHash: 'a' });
    const clash = await call('POST', T, { HubID: 'h', WorkItemHash: 'a' });
    expect(clash).toMatchObject({
      status: 409,
      body: { StatusCode: 409, Code: expect.stringMatching(/./) as string },
    });
    expect(clash.body['Error']).toMatch(/unique|duplicate/i);
    expect((await call('POST', T, { Nope: 1, Neither: 2 })).body['Error']).toMatch(/Nope, Neither/);
    expect(await call('POST', T, { WorkItemHash: 'x'.repeat(200) })).toMatchObject({
      status: 422,
      body: { Error: expect.stringMatching(/WorkItemHash holds at most 128/) as string },
    });
    expect(await call('POST', T, { WorkItemHash: 'y', Priority: 'high' })).toMatchObject({
      status: 422,
    });
    const statuses: [method: string, path: string, status: number, body?: unknown][] = [
      ['POST', T, 400, []],
      ['GET', `${T}s/FilteredTo/FBV~Nope~EQ~1`, 400],
      ['GET', `${T}s/nonsense`, 404],
      ['GET', `${T}/7`, 404],
      ['OPTIONS', T, 405],
      ['PUT', T, 400, { Status: 'X' }],
      ['PUT', T, 404, { IDUVQueueWorkItem: 99, Status: 'X' }],
      ['DELETE', `${T}/99`, 404],
      ['GET', 'Nopes', 404],
      ['GET', 'UVBridgeStores', 404],
    ];
    for (const [method, path, status, body] of statuses)
      expect([method, path, (await call(method, path, body)).status]).toEqual([
        method,
        path,
        status,
      ]);
    expect((await call('GET', `${T}s/Count`)).body).toEqual({ Count: 1 });
    await connection.engine.close();
    expect((await call('GET', `${T}s`)).status).toBe(503);
  });

  test('an array’s refused rows come back with their error and the others are stored', async () => {
    const { call, list } = await endpointsFor(backend());
    const { status, body } = await call('POST', `${T}s`, [
      { HubID: 'h', WorkItemHash: 'a' },
      { HubID: 'h', WorkItemHash: 'a' },
      { Nope: 1 },
      { HubID: 'h', WorkItemHash: 'b' },
      { HubID: 'h', WorkItemHash: 'x'.repeat(129) },
      { HubID: 'h', WorkItemHash: 'A' },
    ]);
    expect(status).toBe(200);
    expect(
      body.map((row) => (row['Error'] as { StatusCode: number } | undefined)?.StatusCode),
    ).toEqual([undefined, 409, 400, undefined, 422, undefined]);
    const first = body[0]?.['IDUVQueueWorkItem'];
    const updated = await call('PUT', `${T}s`, [
      { IDUVQueueWorkItem: first, Status: 'X' },
      { IDUVQueueWorkItem: 99_999, Status: 'X' },
    ]);
    expect(updated.body).toMatchObject([{ Status: 'X' }, { Error: { StatusCode: 404 } }]);
    expect((await list(`${T}s`)).map((row) => row['WorkItemHash'])).toEqual(['a', 'b', 'A']);
  });
}
