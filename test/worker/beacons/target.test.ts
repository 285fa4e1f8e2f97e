/**
 * Bringing a database up, and keeping to the truth about it: bootstrap once, again when it must be,
 * errors retried, presence and tags followed.
 */
import { describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { fresh, setup, stepsOf } from '../../kit/worker/target-setup.ts';

describe('bootstrap', () => {
  test('EnsureSchema, Introspect, UpdateProxyConfig, EnableEndpoint of each table: once (defect 29)', async () => {
    const { mesh, assignments, state, turns, pass } = setup();
    expect(state()).toBe('unassigned');
    assignments.assign('db-1', 1);
    expect(state()).toBe('waiting-for-beacon');
    mesh.announce('db-1', fresh());
    await turns();
    mesh.announce('db-1');
    await pass(500);
    expect(mesh.asked).toEqual(stepsOf('db-1'));
    expect(state()).toBe('bootstrapped');
    expect(assignments.targetOf('manifest')).toBe(assignments.targetOf('queue'));
    expect(assignments.targetOf('queue')).toMatchObject({
      storeId: 'store-1',
      generation: 1,
      lastError: null,
    });
    expect(assignments.targetOf('queue')?.endpoints.get('UVManifest')).toBe('/1.0/c1/UVManifest');
    await pass(20_000, ['db-1']);
    expect(mesh.asked.filter((one) => one.includes('EnsureSchema'))).toHaveLength(1);
  });

  test('says bootstrapping while it does it', async () => {
    const { mesh, assignments, state, turns } = setup();
    const seen = new Set<string>();
    assignments.assign('db-1', 1);
    mesh.onAsked = () => {
      seen.add(state());
    };
    mesh.announce('db-1', fresh());
    await turns();
    expect([...seen]).toEqual(['bootstrapping']);
  });

  test.each([
    ['a beacon that was restarted', { nonce: 'n2', storeIds: { 1: 'store-1', 2: '' } }],
    [
      'another database behind the same connection',
      { nonce: 'n1', storeIds: { 1: 'other', 2: '' } },
    ],
  ])('%s is bootstrapped again (defect 25)', async (_what, next) => {
    const { mesh, assignments, state, pass } = setup();
    assignments.assign('db-1', 1);
    mesh.announce('db-1', { nonce: 'n1', storeIds: { 1: 'store-1', 2: '' } });
    await pass(500);
    expect(state()).toBe('bootstrapped');
    mesh.asked.length = 0;
    mesh.announce('db-1', next);
    expect(state()).toBe('bootstrapping');
    await pass(500);
    expect(mesh.asked).toEqual(stepsOf('db-1'));
    expect(state()).toBe('bootstrapped');
    expect(assignments.targetOf('queue')?.generation).toBe(2);
  });

  test('defect 30: an error is retried with back-off, names the step, and is over when it is over', async () => {
    const { mesh, assignments, state, pass, turns } = setup();
    mesh.broken.set('Introspect', 'no permission');
    assignments.assign('db-1', 1);
    mesh.announce('db-1', fresh());
    await turns();
    expect(state()).toBe('error');
    expect(assignments.targetOf('queue')?.lastError).toBe('Introspect failed: no permission');
    await pass(60_000, ['db-1']);
    const tries = mesh.asked.filter((one) => one.includes('EnsureSchema')).length;
    expect(tries).toBeGreaterThan(60_000 / limits.backoffLongestMs - 1);
    expect(tries).toBeLessThan(60_000 / (limits.backoffLongestMs / 2) + 10);
    mesh.broken.clear();
    await pass(limits.backoffLongestMs + 250, ['db-1']);
    expect(state()).toBe('bootstrapped');
    expect(assignments.targetOf('queue')?.lastError).toBeNull();
  });

  test('a beacon that offers nothing to write with is an error that says so', async () => {
    const { mesh, assignments, turns } = setup();
    assignments.assign('db-1', 1);
    mesh.announce('db-1', { ...fresh(), capabilities: ['Authentication'] });
    await turns();
    expect(assignments.targetOf('queue')?.state).toBe('error');
    expect(assignments.targetOf('queue')?.carrierOf('queue')).toBeNull();
    expect(assignments.targetOf('queue')?.lastError).toBe(
      'db-1 offers none of DataBeaconBatch, MeadowProxy, QueuePersistence, ManifestStore: ' +
        'there is nothing to deliver with',
    );
  });

  test('the carrier follows what the beacon offers', async () => {
    const { mesh, assignments, pass } = setup();
    assignments.assign('db-1', 1);
    mesh.announce('db-1', fresh());
    await pass(500);
    expect(assignments.targetOf('queue')?.carrierOf('queue')).toBe('batch');
    mesh.announce('db-1', { ...fresh(), capabilities: ['MeadowProxy'] });
    expect(assignments.targetOf('queue')?.carrierOf('queue')).toBe('meadow-proxy');
  });

  test.each([0, 1])(
    'a legacy beacon is only looked at, whatever the number: %d',
    async (connection) => {
      const { mesh, assignments, state, pass } = setup();
      const capabilities = ['QueuePersistence', 'ManifestStore'];
      assignments.assign('old-1', connection);
      mesh.announce('old-1', { nonce: 'n1', storeIds: { 1: 'rows-1' }, capabilities });
      await pass(500);
      expect(state()).toBe('bootstrapped');
      expect(mesh.asked).toEqual([]);
      expect(
        ['queue', 'manifest'].map((lane) =>
          assignments.targetOf('queue')?.carrierOf(lane as 'queue'),
        ),
      ).toEqual(['legacy', 'legacy']);
      expect(assignments.targetOf('queue')).toMatchObject({ storeId: 'rows-1', generation: 1 });
      // Rows in memory begin anew with their process: that must be noticed, as with a database.
      mesh.announce('old-1', { nonce: 'n2', storeIds: { 1: 'rows-2' }, capabilities });
      await pass(500);
      expect(assignments.targetOf('queue')).toMatchObject({ storeId: 'rows-2', generation: 2 });
    },
  );

  test('a legacy beacon of one lane: that lane goes, the other says what it lacks', async () => {
    const { mesh, assignments, pass } = setup();
    assignments.assign('old-1', 1);
    mesh.announce('old-1', { ...fresh(), capabilities: ['QueuePersistence'] });
    await pass(500);
    const target = assignments.targetOf('queue');
    expect([target?.stateOf('queue'), target?.stateOf('manifest')]).toEqual([
      'bootstrapped',
      'error',
    ]);
    expect([target?.lastErrorOf('queue'), target?.lastErrorOf('manifest')]).toEqual([
      null,
      'old-1 does not offer ManifestStore; lane manifest needs a beacon that does',
    ]);
  });

  test('a silent legacy beacon is asked where it answers', async () => {
    const { mesh, assignments, state, pass } = setup();
    assignments.assign('old-1', 1);
    mesh.announce('old-1', { ...fresh(), capabilities: ['ManifestStore'] });
    await pass(limits.presenceProbeMs + 500);
    expect(mesh.requested).toEqual(['mesh.old-1.ManifestStore.ListConnections']);
    expect(state()).not.toBe('waiting-for-beacon');
  });
});

describe('presence', () => {
  test('defect 4, defect 26: a silent beacon is waiting-for-beacon in 6 s, back with its next word', async () => {
    const { mesh, assignments, state, pass, turns } = setup();
    assignments.assign('db-1', 1);
    mesh.announce('db-1', fresh());
    await pass(4_000, ['db-1']);
    expect(state()).toBe('bootstrapped');
    await pass(2_000);
    expect(state()).toBe('bootstrapped');
    await pass(4_000);
    expect(state()).toBe('waiting-for-beacon');
    mesh.announce('db-1');
    await turns();
    expect(state()).toBe('bootstrapped');
  });

  test('a silent beacon is asked, and one that nobody answers for is away before that', async () => {
    const { mesh, assignments, state, pass } = setup();
    assignments.assign('db-1', 1);
    mesh.announce('db-1', fresh());
    await pass(500);
    mesh.beacons.delete('db-1');
    await pass(3_000);
    expect(state()).toBe('waiting-for-beacon');
  });

  test('a draining beacon takes nothing more, a busy one does', async () => {
    const { mesh, assignments, state, pass } = setup();
    assignments.assign('db-1', 1);
    mesh.announce('db-1', fresh());
    await pass(500);
    mesh.announce('db-1', { nonce: 'n1', storeIds: { 1: 'store-1', 2: '' }, status: 'Busy' });
    await pass(250);
    expect(state()).toBe('bootstrapped');
    mesh.announce('db-1', { nonce: 'n1', storeIds: { 1: 'store-1', 2: '' }, status: 'Draining' });
    expect(state()).toBe('waiting-for-beacon');
  });

  test('words on the mesh that are no presence change nothing', async () => {
    const { mesh, directory } = setup();
    for (const body of [
      null,
      5,
      'x',
      [],
      {},
      { BeaconID: 'a b', Status: 'Online' },
      { BeaconID: 'x', Status: 'Strange' },
    ]) {
      expect(() => {
        mesh.say('mesh.presence.x', body);
      }).not.toThrow();
    }
    expect(directory.list()).toEqual([]);
  });
});
