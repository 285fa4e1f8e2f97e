/** Two databeacons of one name: nothing is delivered to either, and it is said which name. */
import { expect, test } from 'vitest';
import { fresh, setup, stepsOf } from '../../kit/worker/target-setup.ts';

const one = { nonce: 'n1', storeIds: { 1: 'store-1', 2: '' } };
const two = { nonce: 'n2', storeIds: { 1: 'store-2', 2: '' } };

test('two databeacons that speak by turns in one name are a fault, not bootstrapped by turns (I14)', async () => {
  const { mesh, assignments, pass, state, turns } = setup();
  assignments.assign('db-1', 1);
  const target = assignments.targetOf('queue');
  for (let round = 0; round < 4; round++) {
    mesh.announce('db-1', one);
    await pass(1_000);
    mesh.announce('db-1', two);
    await pass(1_000);
  }
  expect(state()).toBe('error');
  expect(target?.lastErrorOf('queue')).toMatch(/^two databeacons call themselves db-1;/);
  const asked = mesh.asked.length;
  for (let round = 0; round < 30; round++) {
    mesh.announce('db-1', round % 2 ? two : one);
    await pass(1_000);
  }
  expect(mesh.asked.length).toBe(asked);
  expect(asked).toBeLessThanOrEqual(5 * stepsOf('db-1').length);
  expect(state()).toBe('error');
  // One of them is stopped.
  for (let round = 0; round < 5; round++) {
    mesh.announce('db-1', two);
    await pass(2_000);
  }
  await turns();
  expect(state()).toBe('bootstrapped');
  expect(target?.storeId).toBe('store-2');
  expect(target?.lastErrorOf('queue')).toBeNull();
});

test('a databeacon started again and again is no fault, nor one that drains beside its successor', async () => {
  const { mesh, assignments, pass, state } = setup();
  assignments.assign('db-1', 1);
  for (let start = 0; start < 8; start++) {
    mesh.announce('db-1', { ...fresh(), nonce: `n${start}`, storeIds: { 1: 'store-1', 2: '' } });
    await pass(500);
    if (start > 0) {
      const old = { ...one, nonce: `n${start - 1}`, status: 'Draining' };
      const successor = mesh.beacons.get('db-1');
      mesh.announce('db-1', old);
      if (successor) mesh.announce('db-1', successor);
    }
    await pass(500);
    expect(state()).not.toBe('error');
  }
  expect(state()).toBe('bootstrapped');
});
