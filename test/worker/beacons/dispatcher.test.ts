/** Requests to a beacon that is gone: they are given up when its successor is heard of. */
import { expect, onTestFinished, test } from 'vitest';
import { TidemarkError } from '../../../contracts/errors.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { BeaconDirectory } from '../../../worker/beacons/directory.ts';
import { Dispatcher } from '../../../worker/beacons/dispatcher.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { ScriptedMesh } from '../../kit/worker/scripted-mesh.ts';

const storeIds = { 1: 'store-1' };

/** A dispatcher whose requests are never answered. */
function unanswered() {
  const mesh = new ScriptedMesh();
  const directory = new BeaconDirectory(mesh.bus, new ManualClock(), { hubId: 'hub1' });
  directory.start();
  onTestFinished(() => directory.stop());
  const bus = {
    pack: () => ({ body: new Uint8Array(), headers: {} }),
    send: () => new Promise(() => {}),
  } as unknown as Bus;
  const dispatcher = new Dispatcher(bus, directory);
  const ended: unknown[] = [];
  const ask = (beacon: string) =>
    void dispatcher.send(beacon, 'batch', 'Apply', {}).catch((error: unknown) => ended.push(error));
  return { mesh, ask, ended };
}

test('a delivery to a killed beacon is not waited for any longer once its successor is heard of', async () => {
  const { mesh, ask, ended } = unanswered();
  mesh.announce('db-1', { nonce: 'n1', storeIds });
  mesh.announce('db-2', { nonce: 'm1', storeIds });
  ask('db-1');
  ask('db-2');
  mesh.announce('db-1');
  mesh.announce('db-1', { nonce: 'n2', storeIds });
  await nextTurn();
  expect(ended).toEqual([expect.any(TidemarkError)]);
  expect(ended[0]).toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('db-1 was started again meanwhile') as string,
  });
});

test('a beacon that goes away, drains, or has no Nonce may still answer, and is waited for', async () => {
  const { mesh, ask, ended } = unanswered();
  mesh.announce('db-1', { nonce: 'n1', storeIds });
  mesh.announce('db-2', { nonce: '', storeIds });
  ask('db-1');
  ask('db-2');
  mesh.announce('db-1', { nonce: 'n1', storeIds, status: 'Draining' });
  mesh.announce('db-2', { nonce: '', storeIds: { 1: 'store-2' } });
  await nextTurn();
  expect(ended).toEqual([]);
});
