/** Apply from several owners of one hub: whose batches are taken, and whose rows stand. */
import { expect, test } from 'vitest';
import { ensureSchema } from '../../../../beacon/capabilities/schema-manager.ts';
import type { ApplyBatch } from '../../../../beacon/engine/engine.ts';
import { persistenceSchema, type SchemaDescriptor } from '../../../../contracts/schema.ts';
import type { RunningBackend } from '../backends.ts';
import { type Desk, freshDesk, now } from '../desk.ts';

const item = 'UVQueueWorkItem';

/** The store of an owner: each has an epoch of its own. */
function owner(name: string, term: number): Partial<ApplyBatch> {
  return { term, owner: name, epoch: `epoch of ${name}` };
}

export function ownerTests(desk: () => Desk, backend: () => RunningBackend): void {
  test('I11: an earlier owner’s batch is refused once a later one’s was taken', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 1, { Status: 'First' }, { Term: 1 })], owner('A', 1));
    const taken = await d.apply(
      [d.workItem('a', 2, { Status: 'Second' }, { Term: 2 })],
      owner('B', 2),
    );
    expect(taken.Mark).toEqual({
      Epoch: 'epoch of B',
      Seq: 2,
      UpdatedAt: now,
      Term: 2,
      Owner: 'B',
    });
    await expect(
      d.apply([d.workItem('a', 3, { Status: 'Zombie' }, { Term: 1 })], owner('A', 1)),
    ).rejects.toMatchObject({ code: 'STALE_OWNER' });
    await expect(
      d.apply([d.workItem('a', 3, {}, { Term: 1 })], { ...owner('A', 1), isBelowMark: true }),
    ).rejects.toMatchObject({ code: 'STALE_OWNER' });
    expect(await d.rows(item, 'Status', 'BridgeSeq', 'BridgeTerm')).toEqual([
      { Status: 'Second', BridgeSeq: 2, BridgeTerm: 2 },
    ]);
  });

  test('I11: of two stores with one Term only the first is taken', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 1, {}, { Term: 1 })], owner('A', 1));
    await expect(
      d.apply([d.workItem('a', 2, {}, { Term: 1 })], owner('B', 1)),
    ).rejects.toMatchObject({ code: 'STALE_OWNER' });
    // A worker of before there were Terms has none, which counts as 0.
    await expect(d.apply([d.workItem('a', 3)])).rejects.toMatchObject({ code: 'STALE_OWNER' });
    expect(await d.outcomes([d.workItem('a', 4, {}, { Term: 1 })], owner('A', 1))).toEqual([
      'applied',
    ]);
  });

  test('I11: an empty batch of a new owner is enough to stop the one before', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 5, {}, { Term: 1 })], owner('A', 1));
    const claim = { ...owner('B', 2), throughSeq: 0, afterSeq: 5, afterEpoch: 'epoch of A' };
    expect((await d.apply([], claim)).Mark).toMatchObject({ Seq: 0, Term: 2, Owner: 'B' });
    await expect(
      d.apply([d.workItem('a', 6, {}, { Term: 1 })], owner('A', 1)),
    ).rejects.toMatchObject({ code: 'STALE_OWNER' });
  });

  test('I11: a batch below the mark takes the mark row over as well', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 5)]);
    const below = { term: 1, owner: 'A', isBelowMark: true, throughSeq: 3 };
    expect((await d.apply([d.workItem('b', 3, {}, { Term: 1 })], below)).Mark).toMatchObject({
      Seq: 5,
      Term: 1,
      Owner: 'A',
    });
    expect((await d.apply([d.workItem('b', 6, {}, { Term: 1 })], below)).Mark).toMatchObject({
      Seq: 5,
      Term: 1,
      Owner: 'A',
    });
  });

  test('I11: a later owner’s rows stand and win, whatever the clocks said', async () => {
    const d = desk();
    const rows = (Term: number, seq: number, value: string) => [
      d.workItem('a', seq, { Status: value }, { Term, Merge: { Extra: { from: value } } }),
      d.workItem('b', seq, { Status: value }, { Term }),
      d.removal('m', seq, { Term }),
      d.event('e', seq, { EventType: value }, { Term }),
    ];
    await d.apply([d.manifest('m', 900, {}, { Term: 1 })], owner('A', 1));
    await d.apply(rows(1, 1_000, 'Old'), owner('A', 1));
    // Its clock is behind: its Seqs are below those that the rows have.
    expect(
      await d.outcomes(
        [...rows(2, 10, 'New').slice(0, 2), d.manifest('m', 11, {}, { Term: 2 })],
        owner('B', 2),
      ),
    ).toEqual(['applied', 'applied', 'applied']);
    expect(await d.rows(item, 'Status', 'BridgeSeq', 'BridgeTerm')).toEqual([
      { Status: 'New', BridgeSeq: 10, BridgeTerm: 2 },
      { Status: 'New', BridgeSeq: 10, BridgeTerm: 2 },
    ]);
    // What the first one still had is handed in by the owner of today, under the Term it was accepted.
    expect(
      await d.outcomes(
        [
          ...rows(1, 1_001, 'Late').slice(0, 3),
          d.event('e', 1_001, { EventType: 'Old' }, { Term: 1 }),
          d.event('e-2', 1_002, {}, { Term: 1 }),
        ],
        { ...owner('B', 2), isBelowMark: true },
      ),
    ).toEqual(['superseded', 'superseded', 'superseded', 'already-present', 'applied']);
    expect(await d.rows(item, 'Status')).toEqual([{ Status: 'New' }, { Status: 'New' }]);
    expect(await d.rows('UVManifest', 'Deleted', 'BridgeTerm')).toEqual([
      { Deleted: 0, BridgeTerm: 2 },
    ]);
  });

  test('I11: an event that a later owner wrote otherwise is superseded, not a dead letter', async () => {
    const d = desk();
    await d.apply([d.event('e', 5, { EventType: 'Later' }, { Term: 2 })], owner('B', 2));
    expect(
      await d.outcomes([d.event('e', 9, { EventType: 'Earlier' }, { Term: 1 })], owner('B', 2)),
    ).toEqual(['superseded']);
  });

  test('I8: within a Term a row is guarded by its Seq as before', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 5, { Status: 'New' }, { Term: 2 })], owner('B', 2));
    expect(
      await d.outcomes([d.workItem('a', 4, { Status: 'Old' }, { Term: 2 })], {
        ...owner('B', 2),
        isBelowMark: true,
      }),
    ).toEqual(['already-present']);
  });

  test('tables of before there were Terms serve workers of before, and are mended for others', async () => {
    const d = await freshDesk(backend(), undefined, withoutTerms);
    expect(await d.outcomes([d.workItem('a', 1), d.manifest('m', 1)])).toEqual([
      'applied',
      'applied',
    ]);
    expect(await d.outcomes([d.workItem('a', 2), d.removal('m', 2)])).toEqual([
      'applied',
      'applied',
    ]);
    const next = [d.workItem('a', 3, {}, { Term: 1 })];
    await expect(d.apply(next, owner('A', 1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const { ColumnsAdded } = await ensureSchema(d.engine, 'x', persistenceSchema);
    expect(ColumnsAdded).toHaveLength(6);
    expect(await d.outcomes(next, owner('A', 1))).toEqual(['applied']);
    expect(await d.rows(item, 'BridgeSeq', 'BridgeTerm')).toEqual([
      { BridgeSeq: 3, BridgeTerm: 1 },
    ]);
    expect(await d.rows('UVBridgeMark', 'Seq', 'Term', 'Owner')).toEqual([
      { Seq: 3, Term: 1, Owner: 'A' },
    ]);
  });
}

const withoutTerms: SchemaDescriptor = {
  ...persistenceSchema,
  Tables: persistenceSchema.Tables.map((table) => ({
    ...table,
    Schema: table.Schema.filter(({ Column }) => !['BridgeTerm', 'Term', 'Owner'].includes(Column)),
  })),
};
