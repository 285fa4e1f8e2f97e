/** A beacon that dies in the middle of being bootstrapped: what it took along is not waited for. */
import { expect, onTestFinished, test } from 'vitest';
import { nextTurn } from '../../../runtime/clock.ts';
import { Assignments } from '../../../worker/beacons/assignments.ts';
import { BeaconDirectory } from '../../../worker/beacons/directory.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { folderOfTest, openStore, silent } from '../../kit/worker/fixture.ts';
import { ScriptedMesh } from '../../kit/worker/scripted-mesh.ts';

test('a beacon that dies with a step unanswered is not waited for: its successor is bootstrapped at once', async () => {
  const [mesh, clock] = [new ScriptedMesh(), new ManualClock()];
  const directory = new BeaconDirectory(mesh.bus, clock, { hubId: 'hub1' });
  const assignments = new Assignments(openStore(folderOfTest().path).db, {
    directory,
    dispatcher: mesh.dispatcher,
    clock,
    log: silent,
  });
  directory.start();
  assignments.start();
  onTestFinished(() => {
    assignments.stop();
    directory.stop();
  });
  const state = () => assignments.targetOf('queue')?.state;
  const settle = async () => {
    await clock.advance(500);
    for (let n = 0; n < 60; n++) await nextTurn();
  };
  let isFirst = true;
  mesh.onAsked = (action) => {
    if (action !== 'EnsureSchema' || !isFirst) return;
    isFirst = false;
    return new Promise<void>(() => {});
  };
  assignments.assign('db-1', 1);
  mesh.announce('db-1', { nonce: 'n1', storeIds: { 1: 'store-1', 2: '' } });
  await settle();
  expect(state()).toBe('bootstrapping');
  mesh.announce('db-1', { nonce: 'n2', storeIds: { 1: 'store-1', 2: '' } });
  await settle();
  expect(state()).toBe('bootstrapped');
  expect(assignments.targetOf('queue')?.lastError).toBeNull();
});
