/** Apply on SQLite: the mark, and batches with a refused mutation. */
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import {
  applyTo,
  event,
  hub,
  now,
  openBackend,
  outcomesOf,
  rowsIn,
  workItem,
} from '../../kit/beacon/fixture.ts';

describe('the mark', () => {
  test('is written with the rows, and what lies at or below it is skipped', async () => {
    const { engine, path } = await openBackend();
    const first = await applyTo(engine, [workItem('a', 1, { Status: 'One' })], { throughSeq: 4 });
    expect(first).toMatchObject({
      IsCommitted: true,
      Mark: { Epoch: 'epoch-1', Seq: 4, UpdatedAt: now },
    });
    const again = await applyTo(engine, [workItem('never', 3, {}), workItem('b', 5, {})], {
      throughSeq: 5,
    });
    expect(outcomesOf(again)).toEqual(['already-present', 'applied']);
    expect(rowsIn(path, 'SELECT HubID, Lane, Epoch, Seq FROM UVBridgeMark')).toEqual([
      { HubID: hub, Lane: 'queue', Epoch: 'epoch-1', Seq: 5 },
    ]);
    expect(rowsIn(path, 'SELECT WorkItemHash FROM UVQueueWorkItem ORDER BY 1')).toEqual([
      { WorkItemHash: 'a' },
      { WorkItemHash: 'b' },
    ]);
  });

  test('never moves back within an epoch; the mark of another epoch does not count', async () => {
    const { engine } = await openBackend();
    await applyTo(engine, [], { throughSeq: 9 });
    expect((await applyTo(engine, [], { throughSeq: 3 })).Mark).toMatchObject({ Seq: 9 });
    const other = await applyTo(engine, [workItem('a', 2)], { throughSeq: 2, epoch: 'epoch-2' });
    expect(outcomesOf(other)).toEqual(['applied']);
    expect(other.Mark).toMatchObject({ Epoch: 'epoch-2', Seq: 2 });
  });

  test('each hub and lane has its own', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [], { throughSeq: 3 });
    await applyTo(engine, [], { throughSeq: 4, lane: 'manifest' });
    await applyTo(engine, [], { throughSeq: 5, hubId: 'hub2' });
    expect(rowsIn(path, 'SELECT HubID, Lane, Seq FROM UVBridgeMark ORDER BY Seq')).toEqual([
      { HubID: hub, Lane: 'queue', Seq: 3 },
      { HubID: hub, Lane: 'manifest', Seq: 4 },
      { HubID: 'hub2', Lane: 'queue', Seq: 5 },
    ]);
  });

  test('below the mark nothing is skipped, the mark stays, good ones take effect beside a bad one', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [], { throughSeq: 9 });
    const outputs = await applyTo(engine, [workItem('a', 3), workItem('b', 4, { Nope: 1 })], {
      throughSeq: 99,
      isBelowMark: true,
    });
    expect(outcomesOf(outputs)).toEqual(['applied', 'rejected']);
    expect(outputs).toMatchObject({ IsCommitted: true, Mark: { Seq: 9 } });
    expect(rowsIn(path, 'SELECT WorkItemHash FROM UVQueueWorkItem')).toEqual([
      { WorkItemHash: 'a' },
    ]);
  });
});

describe('a batch with a refused mutation', () => {
  test('takes no effect, says what became of each, and is refused the same way when it is sent again', async () => {
    const { engine, path } = await openBackend();
    await applyTo(engine, [event('g', 1, { BeaconID: 'x' })]);
    const batch = [workItem('a', 2), event('g', 3, { BeaconID: 'y' }), workItem('b', 4)];
    for (const attempt of [1, 2]) {
      const outputs = await applyTo(engine, batch);
      expect(outcomesOf(outputs), `attempt ${attempt}`).toEqual(['applied', 'conflict', 'applied']);
      expect(outputs).toMatchObject({ IsCommitted: false, Mark: { Seq: 1 } });
    }
    expect(rowsIn(path, 'SELECT * FROM UVQueueWorkItem')).toEqual([]);
    expect(rowsIn(path, 'SELECT Seq FROM UVBridgeMark')).toEqual([{ Seq: 1 }]);
  });

  test.each([
    ['an unknown table', { Table: 'Nope' }, /Nope/],
    ['an unknown column', { Set: { 'Nope"; DROP TABLE UVManifest; --': 1 } }, /no column/],
    ['a column that is the beacon’s to write', { Set: { BridgeSeq: 1 } }, /BridgeSeq/],
    ['the mark’s own table', { Table: 'UVBridgeMark' }, /UVBridgeMark/],
    ['the identity’s own table', { Table: 'UVBridgeStore' }, /UVBridgeStore/],
    ['a string over its size', { Set: { Status: 'x'.repeat(33) } }, /Status holds at most 32/],
    ['text in an integer column', { Set: { Priority: 'high' } }, /Priority takes/],
    ['an object where none can be', { Set: { Priority: { a: 1 } as never } }, /Priority/],
  ])('rejects %s with a reason', async (_what, change, reason) => {
    const { engine } = await openBackend();
    const outputs = await applyTo(engine, [{ ...workItem('a', 1), ...change }]);
    expect(outputs.IsCommitted).toBe(false);
    expect(outputs.Results[0]).toMatchObject({ Outcome: 'rejected' });
    expect(outputs.Results[0]?.Reason).toMatch(reason);
  });

  test('a constraint of the database is a rejection of that one', async () => {
    const { engine, path } = await openBackend();
    const db = new Database(path);
    db.exec(
      "CREATE TRIGGER no BEFORE INSERT ON UVQueueWorkItem WHEN NEW.WorkItemHash = 'bad' " +
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    );
    db.close();
    const outputs = await applyTo(engine, [workItem('good', 1), workItem('bad', 2)], {
      isBelowMark: true,
    });
    expect(outcomesOf(outputs)).toEqual(['applied', 'rejected']);
    expect(outputs.Results[1]?.Reason).toMatch(/not this one/);
  });
});
