/** What a worker knows of beacons when anybody may speak: whose word counts, and how much of it. */
import { expect, test, vi } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { BeaconDirectory } from '../../../worker/beacons/directory.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { ScriptedMesh } from '../../kit/worker/scripted-mesh.ts';
import { fresh, setup } from '../../kit/worker/target-setup.ts';

const presenceOf = (BeaconID: string, more: object = {}) => ({
  BeaconID,
  Status: 'Online',
  Nonce: 'n',
  Capabilities: ['DataBeaconBatch', 'MeadowProxy'],
  ...more,
});
const names = (count: number) => Array.from({ length: count }, (_, n) => `rogue-${n}`);

test("a beacon's word counts on its own subject alone (I14)", async () => {
  const { mesh, assignments, state, pass } = setup();
  assignments.assign('db-1', 1);
  mesh.announce('db-1', { nonce: 'n1', storeIds: { 1: 'store-1' } });
  await pass(500);
  const forged = presenceOf('db-1', { Status: 'Draining' });
  mesh.say('mesh.presence.rogue', forged);
  mesh.say('mesh.presence', forged);
  await pass(500);
  expect(state()).toBe('bootstrapped');
});

test('a beacon without a subject of its own is heard where that is accepted, never as one that has (I14)', () => {
  const mesh = new ScriptedMesh();
  const clock = new ManualClock();
  const directory = new BeaconDirectory(mesh.bus, clock, { hubId: 'hub1', acceptsUnscoped: true });
  directory.start();
  mesh.say('mesh.presence', presenceOf('old-1'));
  mesh.say('mesh.presence.db-1', presenceOf('db-1', { HubSubjects: true }));
  mesh.say('mesh.presence', presenceOf('db-1', { Status: 'Draining' }));
  expect(directory.list().map((one) => one.BeaconID)).toEqual(['db-1', 'old-1']);
  expect([directory.hubFor('db-1'), directory.hubFor('old-1')]).toEqual(['hub1', null]);
  directory.stop();
});

test('of five thousand names no more than the bound are known, and no message costs a look at all (I13, I14)', () => {
  const { mesh, directory } = setup();
  const changed = vi.fn<(beacon: string) => void>();
  directory.onChange(changed);
  // Nobody sorts or looks through them all for one message.
  const list = vi.spyOn(directory, 'list');
  for (const name of names(5_000)) mesh.say(`mesh.presence.${name}`, presenceOf(name));
  expect(list).not.toHaveBeenCalled();
  expect(directory.list()).toHaveLength(limits.beaconsMax);
  expect(changed).toHaveBeenCalledTimes(limits.beaconsMax);
});

test('one that a lane goes to is heard although all places are taken, and keeps its place (I14)', async () => {
  const { mesh, directory, assignments, state, pass } = setup();
  const all = names(limits.beaconsMax + 10);
  for (const name of all) mesh.say(`mesh.presence.${name}`, presenceOf(name));
  assignments.assign('db-1', 1);
  mesh.announce('db-1', fresh());
  expect(directory.find('db-1')).not.toBeNull();
  mesh.say('mesh.presence.rogue-0', presenceOf('rogue-0', { Status: 'Draining' }));
  mesh.announce('db-1', { ...fresh(), status: 'Draining' });
  for (const name of ['new-1', 'new-2']) mesh.say(`mesh.presence.${name}`, presenceOf(name));
  // Of the two that are away only the one no lane goes to makes room.
  expect(directory.list().map((one) => one.BeaconID)).toContain('new-1');
  expect(directory.find('new-2')).toBeNull();
  expect(directory.find('rogue-0')).toBeNull();
  mesh.announce('db-1', { nonce: 'n1', storeIds: { 1: 'store-1' } });
  await pass(500, ['db-1']);
  expect(state()).toBe('bootstrapped');
});

test('a new one takes the place of one that is away; after an hour it is forgotten (I13)', async () => {
  const { mesh, clock, directory } = setup();
  for (const name of names(limits.beaconsMax)) mesh.say(`mesh.presence.${name}`, presenceOf(name));
  mesh.say('mesh.presence.late', presenceOf('late'));
  expect(directory.find('late')).toBeNull();
  mesh.say('mesh.presence.rogue-7', presenceOf('rogue-7', { Status: 'Draining' }));
  mesh.say('mesh.presence.late', presenceOf('late'));
  expect(directory.find('late')).not.toBeNull();
  await clock.advance(limits.presenceAwayMs);
  expect(directory.list()).toEqual([]);
  expect(mesh.requested.length).toBeLessThan(limits.beaconsAskedMax * 25);
  await clock.advance(limits.beaconForgottenMs);
  expect(directory.hubFor('late')).toBeNull();
});

test('a lane that is assigned again and again leaves no listener behind (I13)', async () => {
  const { mesh, directory, assignments, turns } = setup();
  mesh.announce('db-1', fresh());
  for (let n = 0; n < 50; n++) {
    assignments.assign(`db-${(n % 2) + 1}`, 1);
    await turns();
  }
  assignments.assign('db-2', 1);
  await turns();
  const find = vi.spyOn(directory, 'find');
  mesh.announce('db-1', { ...fresh(), nonce: 'n2' });
  await turns();
  expect(find.mock.calls.filter(([beacon]) => beacon === 'db-1').length).toBeLessThan(5);
});
