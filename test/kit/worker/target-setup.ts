/** Directory and assignments of a worker over a scripted mesh and a clock moved by hand. */
import { onTestFinished } from 'vitest';
import { nextTurn } from '../../../runtime/clock.ts';
import { Assignments } from '../../../worker/beacons/assignments.ts';
import { BeaconDirectory } from '../../../worker/beacons/directory.ts';
import { ManualClock } from '../manual-clock.ts';
import { folderOfTest, openStore, silent } from './fixture.ts';
import { ScriptedMesh } from './scripted-mesh.ts';

const steps = [
  'EnsureSchema',
  'Introspect',
  'UpdateProxyConfig',
  'EnableEndpoint UVQueueWorkItem',
  'EnableEndpoint UVQueueWorkItemEvent',
  'EnableEndpoint UVQueueWorkItemAttempt',
  'EnableEndpoint UVManifest',
];
export const stepsOf = (beacon: string) => steps.map((step) => `${beacon} ${step}`);

export function setup(mesh = new ScriptedMesh(), path = folderOfTest().path) {
  const clock = new ManualClock();
  const directory = new BeaconDirectory(mesh.bus, clock, { hubId: 'hub1' });
  const store = openStore(path);
  const assignments = new Assignments(store.db, {
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
  /** Lets everything that needs no time happen. */
  const turns = async () => {
    for (let n = 0; n < 30; n++) await nextTurn();
  };
  /** The beacons publish as they do, every two seconds, while time passes. */
  const pass = async (ms: number, present: string[] = []) => {
    for (let left = ms; left > 0; left -= 250) {
      if (left % 2_000 === 0) for (const beacon of present) mesh.announce(beacon);
      await clock.advance(Math.min(250, left));
      await turns();
    }
  };
  const state = () => assignments.targetOf('queue')?.state ?? 'unassigned';
  return { mesh, clock, directory, assignments, store, turns, pass, state };
}

export const fresh = () => ({ nonce: 'n1', storeIds: { 1: '', 2: '' } });
