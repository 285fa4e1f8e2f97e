/** The mark of Apply on any engine, and whole batches. */
import { expect, test } from 'vitest';
import { type Desk, later, now } from '../desk.ts';

const item = 'UVQueueWorkItem';

export function markTests(desk: () => Desk): void {
  const mark = (d: Desk) => d.rows('UVBridgeMark', 'Lane', 'Epoch', 'Seq', 'UpdatedAt');

  test('is written with the rows, and what lies at or below it is skipped (I5)', async () => {
    const d = desk();
    const first = await d.apply([d.workItem('a', 1, { Status: 'One' })], { throughSeq: 4 });
    expect(first).toMatchObject({
      IsCommitted: true,
      Mark: { Epoch: 'epoch-1', Seq: 4, UpdatedAt: now },
    });
    expect(
      await d.outcomes([d.workItem('never', 3, {}), d.workItem('b', 5, {})], { throughSeq: 5 }),
    ).toEqual(['already-present', 'applied']);
    expect(await mark(d)).toEqual([{ Lane: 'queue', Epoch: 'epoch-1', Seq: 5, UpdatedAt: now }]);
    expect((await d.rows(item, 'WorkItemHash')).map((row) => row['WorkItemHash'])).toEqual([
      'a',
      'b',
    ]);
  });

  test('never moves back within an epoch; the mark of another epoch does not count (I5)', async () => {
    const d = desk();
    await d.apply([], { throughSeq: 9 });
    expect((await d.apply([], { throughSeq: 3 })).Mark).toMatchObject({ Seq: 9 });
    const other = await d.apply([d.workItem('a', 2)], { throughSeq: 2, epoch: 'epoch-2' });
    expect(other.Results).toEqual([{ Outcome: 'applied' }]);
    expect(other.Mark).toMatchObject({ Epoch: 'epoch-2', Seq: 2 });
  });

  test('each hub and lane has its own, up to the largest Seq there is', async () => {
    const [d, e] = [desk(), desk()];
    await d.apply([], { throughSeq: Number.MAX_SAFE_INTEGER });
    await d.apply([], { throughSeq: 4, lane: 'manifest' });
    expect(await e.apply([e.workItem('a', 1)])).toMatchObject({
      IsCommitted: true,
      Mark: { Seq: 1 },
    });
    expect(await mark(d)).toEqual([
      { Lane: 'queue', Epoch: 'epoch-1', Seq: Number.MAX_SAFE_INTEGER, UpdatedAt: now },
      { Lane: 'manifest', Epoch: 'epoch-1', Seq: 4, UpdatedAt: now },
    ]);
  });

  test('a batch that builds on another mark is not let in, and nothing is changed (I5)', async () => {
    const d = desk();
    await d.apply([d.workItem('a', 5)], { afterEpoch: '' });
    await expect(
      d.apply([d.workItem('b', 9)], { afterSeq: 8, afterEpoch: 'epoch-1' }),
    ).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/went back in time/) as string,
    });
    await expect(
      d.apply([d.workItem('b', 9)], { epoch: 'epoch-2', afterSeq: 5, afterEpoch: 'epoch-0' }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await d.outcomes([d.workItem('b', 6)], { afterSeq: 5, afterEpoch: 'epoch-1' })).toEqual([
      'applied',
    ]);
    expect(await mark(d)).toMatchObject([{ Seq: 6 }]);
  });

  test('below the mark nothing is skipped, each stands alone, the mark stays; a new epoch begins with it', async () => {
    const d = desk();
    await d.apply([d.event('g', 1, { BeaconID: 'x' })], { throughSeq: 9 });
    const below = await d.apply(
      [d.workItem('a', 2), d.event('g', 3, { BeaconID: 'y' }), d.workItem('b', 4)],
      { isBelowMark: true },
    );
    expect(below.Results.map((result) => result.Outcome)).toEqual([
      'applied',
      'conflict',
      'applied',
    ]);
    expect(below).toMatchObject({ IsCommitted: true, Mark: { Epoch: 'epoch-1', Seq: 9 } });
    expect(await d.rows(item, 'WorkItemHash')).toEqual([
      { WorkItemHash: 'a' },
      { WorkItemHash: 'b' },
    ]);
    await d.apply([d.workItem('c', 5)], {
      isBelowMark: true,
      epoch: 'epoch-2',
      afterSeq: 9,
      afterEpoch: 'epoch-1',
      now: later,
    });
    expect(await mark(d)).toEqual([{ Lane: 'queue', Epoch: 'epoch-2', Seq: 9, UpdatedAt: later }]);
  });
}

export function batchTests(desk: () => Desk): void {
  test('with a refused mutation takes no effect, says what became of each, is refused the same again', async () => {
    const d = desk();
    await d.apply([d.event('g', 1, { BeaconID: 'x' })]);
    const batch = [
      d.workItem('a', 2),
      d.event('g', 3, { BeaconID: 'y' }),
      d.workItem('b', 4),
      d.workItem('c', 5, { Priority: 'high' }),
      d.event('h', 6),
    ];
    for (const attempt of [1, 2]) {
      const outputs = await d.apply(batch);
      expect([attempt, ...outputs.Results.map((result) => result.Outcome)]).toEqual([
        attempt,
        'applied',
        'conflict',
        'applied',
        'rejected',
        'applied',
      ]);
      expect(outputs).toMatchObject({ IsCommitted: false, Mark: { Seq: 1 } });
    }
    expect(await d.rows(item)).toEqual([]);
    expect(await d.rows('UVBridgeMark', 'Seq')).toEqual([{ Seq: 1 }]);
    expect(
      await d.outcomes(
        [batch[0], batch[2], batch[4]].filter((one) => one !== undefined),
        { throughSeq: 6 },
      ),
    ).toEqual(['applied', 'applied', 'applied']);
  });

  test('without mutations moves the mark', async () => {
    const d = desk();
    expect(await d.apply([], { throughSeq: 3 })).toEqual({
      Results: [],
      IsCommitted: true,
      Mark: { Epoch: 'epoch-1', Seq: 3, UpdatedAt: now },
    });
  });

  test('of mixed shapes and 2 000 rows goes in whole and in order, and again changes nothing (I8)', async () => {
    const d = desk();
    const mutations = Array.from({ length: 2_000 }, (_, at) => {
      const seq = at + 1;
      const hash = `w${at % 700}`;
      switch (at % 5) {
        case 0:
          return d.event(`e${at}`, seq, { WorkItemHash: hash, Payload: JSON.stringify({ at }) });
        case 1:
          return d.attempt(
            hash,
            at % 3,
            seq,
            { Outcome: `o${at}` },
            { Fill: { StartedAt: `s${at}` } },
          );
        case 2:
          return d.workItem(hash, seq, {}, { Merge: { Extra: { [`m${at % 4}`]: at } } });
        case 3:
          return d.manifest(hash, seq, { Status: `s${at % 9}` });
        default:
          return d.workItem(
            hash,
            seq,
            at % 2 ? { Status: `s${at}` } : { Priority: at, Health: at / 7 },
          );
      }
    });
    const first = await d.apply(mutations);
    expect(first.IsCommitted).toBe(true);
    expect(new Set(first.Results.map((result) => result.Outcome))).toEqual(new Set(['applied']));
    const tables = [
      item,
      'UVQueueWorkItemEvent',
      'UVQueueWorkItemAttempt',
      'UVManifest',
      'UVBridgeMark',
    ];
    const before = await Promise.all(tables.map((table) => d.rows(table)));
    expect(before.map((rows) => rows.length)).toEqual([280, 400, 400, 140, 1]);
    await d.apply(mutations);
    await d.apply(mutations, { isBelowMark: true });
    expect(await Promise.all(tables.map((table) => d.rows(table)))).toEqual(before);
  }, 60_000);

  test('two hubs on one database never see each other’s rows', async () => {
    const [d, e] = [desk(), desk()];
    await d.apply([
      d.workItem('same', 5, { Status: 'Mine' }),
      d.manifest('same', 6),
      d.attempt('same', 1, 7, { Outcome: 'mine' }),
    ]);
    expect(
      await e.outcomes([
        e.workItem('same', 1, { Status: 'Theirs' }),
        e.removal('same', 2),
        e.attempt('same', 1, 3, { Outcome: 'theirs' }),
      ]),
    ).toEqual(['applied', 'not-found', 'applied']);
    expect(await d.rows(item, 'Status', 'BridgeSeq')).toEqual([{ Status: 'Mine', BridgeSeq: 5 }]);
    expect(await d.rows('UVManifest', 'Deleted')).toEqual([{ Deleted: 0 }]);
    expect(await e.rows('UVQueueWorkItemAttempt', 'Outcome')).toEqual([{ Outcome: 'theirs' }]);
  });
}
