/**
 * Several hubs at one database server: each hub and lane has its order, and what holds up one of
 * them holds up no other.
 */
import { expect, test } from 'vitest';
import { apply } from '../../../../beacon/capabilities/batch.ts';
import type { DatabaseConnection } from '../../../../beacon/databases/connections.ts';
import { systemClock } from '../../../../runtime/clock.ts';
import { until } from '../../until.ts';
import { Desk, freshDesk, openFor, type Shared } from '../desk.ts';

const item = 'UVQueueWorkItem';
/** Applies of the hub that nobody holds up, and how long one of them may take. */
const others = 30;
const otherMs = 2_000;

export function lanesSuite(on: () => Shared): void {
  test('a lock on one hub’s row holds up no other hub, and that hub’s batches keep their order (I7, I13)', async () => {
    const [held, free, connection] = await twoHubs(on());
    await apply(held.batch([held.workItem('row', 1)]), connection);
    const lock = await held.place.hold(oneRow(held));
    const answered: number[] = [];
    const waiting = [2, 3, 4].map((seq) =>
      apply(held.batch([held.workItem('row', seq, { Priority: seq })]), connection).then(
        (outputs) => {
          answered.push(seq);
          return outputs.IsCommitted;
        },
      ),
    );
    const longestMs = await longestApply(free, connection);
    const manifests = await apply(
      held.batch([held.manifest('beside', 1)], { lane: 'manifest' }),
      connection,
    );
    expect(answered).toEqual([]);
    await lock.release();
    expect(await Promise.all(waiting)).toEqual([true, true, true]);
    expect(answered).toEqual([2, 3, 4]);
    expect(longestMs).toBeLessThan(otherMs);
    expect(manifests.IsCommitted).toBe(true);
    expect(await held.rows(item, 'BridgeSeq', 'Priority')).toEqual([{ BridgeSeq: 4, Priority: 4 }]);
    expect(await free.rows(item)).toHaveLength(others + 2);
  });

  test('a lock that stays is told to who waits for it before it gives up, and to nobody else', async () => {
    const [held, free, connection] = await twoHubs(on());
    await apply(held.batch([held.workItem('row', 1)]), connection);
    const lock = await held.place.hold(oneRow(held));
    const startedMs = systemClock.monotonicMs();
    const refused = apply(held.batch([held.workItem('row', 2)]), connection).catch(
      (error: unknown) => error,
    );
    let longestMs = 0;
    const isOver = refused.then(() => true);
    while (!(await Promise.race([isOver, systemClock.sleep(250).then(() => false)])))
      longestMs = Math.max(longestMs, await longestApply(free, connection, 1));
    expect(await refused).toMatchObject({ code: 'UNAVAILABLE' });
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(14_000);
    expect(longestMs).toBeLessThan(otherMs);
    await lock.release();
    await until('the batch goes in', () =>
      apply(held.batch([held.workItem('row', 2, { Priority: 7 })]), connection),
    );
    expect(await held.rows(item, 'Priority')).toEqual([{ Priority: 7 }]);
  }, 60_000);
}

/** By the whole key: servers lock what they look past. */
function oneRow({ hub }: Desk): string {
  return (
    `update "${item}" set "Action" = 'held' ` +
    `where "HubID" = '${hub}' and "WorkItemHash" = 'row'`
  );
}

async function twoHubs(on: Shared): Promise<[held: Desk, free: Desk, DatabaseConnection]> {
  const held = await freshDesk(on.backend);
  const { connection } = openFor(held.place);
  return [held, new Desk(connection.engine, held.place, 'hub2'), connection];
}

let seq = 0;

/** Batches of one hub, one after the other; how long the slowest took. */
async function longestApply(
  desk: Desk,
  connection: DatabaseConnection,
  count = others,
): Promise<number> {
  let longestMs = 0;
  for (let at = 0; at < count; at++) {
    const startedMs = systemClock.monotonicMs();
    seq += 1;
    // Some rows are new, some are changed, and some of these beside each other.
    const names = ['same', 'too', `w${seq}`];
    const mutations = names.map((name) => desk.workItem(name, seq, { Action: name }));
    await apply(desk.batch(mutations), connection);
    longestMs = Math.max(longestMs, systemClock.monotonicMs() - startedMs);
  }
  return longestMs;
}
