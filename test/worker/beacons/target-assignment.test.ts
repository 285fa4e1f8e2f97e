/** Which databeacon a lane goes to: assignment, tags, restarts. */
import { describe, expect, test } from 'vitest';
import { folderOfTest } from '../../kit/worker/fixture.ts';
import { ScriptedMesh } from '../../kit/worker/scripted-mesh.ts';
import { fresh, setup, stepsOf } from '../../kit/worker/target-setup.ts';

describe('assignment', () => {
  test('defect 20: the assigned beacon and no other is asked', async () => {
    const { mesh, assignments, pass } = setup();
    mesh.announce('db-1', fresh());
    mesh.announce('db-2', { nonce: 'm1', storeIds: { 1: '' } });
    assignments.assign('db-2', 1);
    await pass(6_000, ['db-1', 'db-2']);
    expect(mesh.asked.filter((one) => !one.startsWith('db-2'))).toEqual([]);
  });

  test('defect 24: another connection of the same beacon is bootstrapped', async () => {
    const { mesh, assignments, state, pass } = setup();
    assignments.assign('db-1', 1);
    mesh.announce('db-1', fresh());
    await pass(500);
    assignments.assign('db-1', 2);
    expect(state()).toBe('bootstrapping');
    await pass(500);
    mesh.announce('db-1');
    await pass(500);
    expect(mesh.asked).toEqual([...stepsOf('db-1'), ...stepsOf('db-1')]);
    expect(assignments.targetOf('queue')).toMatchObject({
      connection: 2,
      storeId: 'store-2',
      state: 'bootstrapped',
    });
  });

  test('defect 31: a tagged beacon is used without an assignment, and the status says so', async () => {
    const { mesh, assignments, state, pass } = setup();
    mesh.announce('plain', fresh());
    mesh.announce('tagged', {
      nonce: 't',
      storeIds: { 1: '', 2: '' },
      tags: { PersistenceConnectionID: '2' },
    });
    await pass(500, ['plain', 'tagged']);
    mesh.announce('tagged');
    await pass(500);
    expect(assignments.of('queue')).toMatchObject({ beacon: 'tagged', connection: 2, by: 'tag' });
    expect(state()).toBe('bootstrapped');
    expect(assignments.file()).toEqual({ Queue: null, Manifest: null });
  });

  test("the operator's word wins over a tag, is kept over a restart, and gives way when taken back", async () => {
    const path = folderOfTest().path;
    const mesh = new ScriptedMesh();
    const first = setup(mesh, path);
    mesh.announce('tagged', {
      nonce: 't',
      storeIds: { 1: '' },
      tags: { PersistenceConnectionID: '1' },
    });
    await first.turns();
    first.assignments.assign('db-1', 1);
    mesh.announce('tagged');
    await first.turns();
    expect(first.assignments.of('manifest')).toMatchObject({ beacon: 'db-1', by: 'operator' });
    first.store.close();
    const second = setup(mesh, path);
    mesh.announce('tagged');
    await second.turns();
    expect(second.assignments.of('queue')).toMatchObject({
      beacon: 'db-1',
      connection: 1,
      by: 'operator',
    });
    expect(second.assignments.file().Queue).toMatchObject({
      BeaconID: 'db-1',
      IDBeaconConnection: 1,
    });
    second.assignments.clear();
    expect(second.assignments.of('queue')).toMatchObject({ beacon: 'tagged', by: 'tag' });
  });

  test('a tagged beacon that is away for a while keeps its lanes', async () => {
    const { mesh, assignments, state, pass } = setup();
    mesh.announce('t-1', {
      nonce: 't',
      storeIds: { 1: '' },
      tags: { PersistenceConnectionID: '1' },
    });
    mesh.announce('t-2', {
      nonce: 'u',
      storeIds: { 1: '' },
      tags: { PersistenceConnectionID: '1' },
    });
    await pass(10_000, ['t-2']);
    expect(assignments.of('queue')?.beacon).toBe('t-1');
    expect(state()).toBe('waiting-for-beacon');
  });

  test('tags that are no number are not followed', async () => {
    const { mesh, assignments, turns } = setup();
    for (const tag of ['', 'x', '1.5', 'NaN'])
      mesh.announce('t', {
        nonce: 't',
        storeIds: { 1: '' },
        tags: { PersistenceConnectionID: tag },
      });
    await turns();
    expect(assignments.of('queue')).toBeNull();
  });

  const tagged = (nonce: string, connection = '1') => ({
    nonce,
    storeIds: { 1: 's', 2: 's' },
    tags: { PersistenceConnectionID: connection },
  });

  test('what a tag chose is kept: no word of any beacon moves it, also after a restart (I14)', async () => {
    const path = folderOfTest().path;
    const mesh = new ScriptedMesh();
    const first = setup(mesh, path);
    mesh.announce('t-2', tagged('a'));
    await first.turns();
    mesh.announce('t-1', tagged('b'));
    mesh.announce('t-2', { ...tagged('a'), tags: {} });
    mesh.announce('t-2', tagged('a', '2'));
    await first.turns();
    const chosen = { beacon: 't-2', connection: 1, by: 'tag' };
    expect(first.assignments.of('queue')).toMatchObject(chosen);
    first.assignments.stop();
    first.store.close();
    const second = setup(mesh, path);
    expect(second.assignments.of('manifest')).toMatchObject(chosen);
    mesh.announce('t-1', tagged('b'));
    await second.turns();
    expect(second.assignments.of('queue')).toMatchObject(chosen);
    expect(second.assignments.file()).toEqual({ Queue: null, Manifest: null });
    second.assignments.clear();
    expect(second.assignments.of('queue')).toMatchObject({ beacon: 't-1', by: 'tag' });
  });
});
