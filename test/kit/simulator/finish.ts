/** The end of a simulated run: everything is mended, and has to come to rest with nothing missing. */
import { lanes } from '../../../contracts/subjects.ts';
import { foldDifferences } from './final-fold.ts';
import { fair } from './sim-bus.ts';
import type { World } from './world.ts';

export async function finish(world: World): Promise<void> {
  world.note('healed');
  world.rival?.end();
  world.weather = { ...fair };
  world.disk.commitsToCrash = 0;
  world.disk.setFull(false);
  for (const beacon of world.beacons.values()) {
    beacon.isUp = true;
    beacon.database.refused.clear();
    world.announce(beacon);
  }
  world.worker?.operate('resume', {});
  await rest(world);
  // What only a start notices is noticed at the latest now.
  world.crash(true);
  await world.advance(5_000);
  await rest(world);
  if (!world.isOver) complete(world);
}

/** Until nothing is left to do. */
async function rest(world: World): Promise<void> {
  for (let rounds = 0; rounds < 80 && !world.isOver; rounds++) {
    await world.advance(rounds < 5 ? 500 : 3_000);
    world.check();
    if (isAtRest(world)) return;
    retryDead(world);
  }
  world.violate(
    `it does not come to rest: ${world.hub.unanswered} writes unanswered, ` +
      `${lanes.map((lane) => world.worker?.core.operators.overview.pending(lane)).join('+')} pending`,
  );
}

function retryDead(world: World): void {
  const { worker } = world;
  if (worker?.core.delivery.destinations.isPaused) worker.operate('resume', {});
  for (const { Seq, Reason } of world.deadLetters())
    worker?.operate('dead-letters', {
      Verb: Reason.includes('body is gone') ? 'drop' : 'retry',
      Seq,
    });
}

function isAtRest(world: World): boolean {
  const { worker } = world;
  return (
    worker !== null &&
    !world.left &&
    world.hub.unanswered === 0 &&
    world.deadLetters().length === 0 &&
    lanes.every((lane) => worker.core.operators.overview.balance(lane).Pending === 0)
  );
}

/** Everything is where it should be. */
function complete(world: World): void {
  const { worker } = world;
  if (!worker) return;
  world.checks.complete(worker);
  for (const id of new Set(lanes.map((lane) => worker.assigned(lane)))) {
    const beacon = world.beacons.get(id ?? '');
    if (!beacon) continue;
    for (const one of foldDifferences(beacon.database, world.ledger).slice(0, 3))
      world.violate(`I7, I8: ${beacon.id} differs from the fold of its writes: ${one}`);
  }
}
