/** MeadowProxy for a hub: its rows are all there are, read or written. */
import { expect, test } from 'vitest';
import { B, startEnabled } from '../../kit/beacon/proxy-kit.ts';
import { applyTo, rowsIn, workItem } from '../../kit/beacon/fixture.ts';
import type { SqliteEngine } from '../../../beacon/engines/sqlite/engine.ts';

const theirs = { Key: { HubID: 'other', WorkItemHash: 'theirs' } };

async function setup() {
  const kit = await startEnabled();
  await applyTo(kit.connection.engine as SqliteEngine, [
    workItem('mine', 1, { Status: 'Pending' }),
    workItem('theirs', 2, { Status: 'Pending' }, theirs),
  ]);
  const ids = rowsIn(kit.path, 'SELECT IDUVQueueWorkItem AS id FROM UVQueueWorkItem ORDER BY 1');
  const [mine, other] = ids.map((row) => Number(row['id']));
  const call = async (method: string, path: string, body?: object) => {
    const Body = body === undefined ? {} : { Body: JSON.stringify(body) };
    const settings = { Method: method, Path: path, ...Body };
    const answer = await kit.proxy.request(settings, 5_000, () => undefined, 'hub1');
    return { status: answer.Status, body: JSON.parse(answer.Body) as never };
  };
  const snapshot = () =>
    JSON.stringify(rowsIn(kit.path, "SELECT * FROM UVQueueWorkItem WHERE HubID = 'other'"));
  return { ...kit, mine, other, call, snapshot };
}

test('no way of reading shows a row of another hub (I14)', async () => {
  const { call, other, mine } = await setup();
  expect(await call('GET', `${B}/${mine}`)).toMatchObject({ status: 200, body: { HubID: 'hub1' } });
  expect((await call('GET', `${B}/${other}`)).status).toBe(404);
  for (const path of [
    's',
    's/0/10',
    's/FilteredTo/FBV~HubID~EQ~other/0/10',
    's/FilteredTo/FBV~HubID~EQ~hub1~FBVOR~HubID~EQ~other/0/10',
    's/FilteredTo/FBV~Deleted~EQ~0~FBVOR~Deleted~EQ~1/0/10',
    's/By/WorkItemHash/theirs',
    's/Lite',
    's/LiteExtended/WorkItemHash',
    's/Distinct/WorkItemHash',
    'Select',
    '/Max/WorkItemHash',
  ])
    expect([path, JSON.stringify((await call('GET', `${B}${path}`)).body)]).toEqual([
      path,
      expect.not.stringContaining('theirs') as string,
    ]);
  expect((await call('GET', `${B}s/Count`)).body).toEqual({ Count: 1 });
});

test('no way of writing changes, makes or takes a row of another hub (I14)', async () => {
  const { call, other, mine, snapshot, path } = await setup();
  const before = snapshot();
  const id = { IDUVQueueWorkItem: other };
  const stolen = { ...id, Status: 'Stolen' };
  for (const [method, at, body] of [
    ['PUT', '', stolen],
    ['PATCH', '', stolen],
    ['PUT', `/${other}`, { Status: 'Stolen' }],
    ['PUT', '', { ...stolen, Deleted: 1 }],
    ['PUT', '', { ...stolen, HubID: 'hub1' }],
    ['PUT', '', { IDUVQueueWorkItem: mine, HubID: 'other' }],
    ['PUT', 's', [stolen, { ...stolen, HubID: 'other' }]],
    ['PUT', '/Upsert', { ...stolen, WorkItemHash: 'theirs' }],
    ['PUT', '/Upsert', { HubID: 'other', WorkItemHash: 'theirs', Status: 'Stolen' }],
    ['PUT', '/Upserts', [{ HubID: 'other', WorkItemHash: 'theirs', Status: 'Stolen' }]],
    ['POST', '', { HubID: 'other', WorkItemHash: 'new' }],
    ['POST', 's', [{ HubID: 'other', WorkItemHash: 'new' }]],
    ['DELETE', `/${other}`, undefined],
    ['DELETE', '', id],
    ['GET', `/Undelete/${other}`, undefined],
  ] as const)
    await call(method, `${B}${at}`, body);
  expect(snapshot()).toBe(before);
  expect((await call('POST', B, { HubID: 'other', WorkItemHash: 'x' })).status).toBe(403);
  expect(
    rowsIn(path, "SELECT HubID FROM UVQueueWorkItem WHERE WorkItemHash IN ('mine', 'new')"),
  ).toEqual([{ HubID: 'hub1' }]);
});

test('a row that says no hub is the hub of the subject', async () => {
  const { call } = await setup();
  expect(await call('POST', B, { WorkItemHash: 'a' })).toMatchObject({ body: { HubID: 'hub1' } });
  const upserted = await call('PUT', `${B}/Upsert`, { WorkItemHash: 'a', Status: 'Running' });
  expect(upserted).toMatchObject({ status: 200, body: { HubID: 'hub1', Status: 'Running' } });
});
