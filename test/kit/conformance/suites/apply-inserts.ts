/** Inserts and deletes of Apply on any engine. */
import { expect, test } from 'vitest';
import { type Desk, later } from '../desk.ts';

export function insertTests(desk: () => Desk): void {
  test('inserts once; the same Seq, or the same content under another, is already present', async () => {
    const d = desk();
    const one = d.event('g', 1, { WorkItemHash: 'a', Payload: '{"x":1}' });
    expect(await d.outcomes([one])).toEqual(['applied']);
    expect(await d.outcomes([one, { ...one, Seq: 9 }], { epoch: 'epoch-2' })).toEqual([
      'already-present',
      'already-present',
    ]);
    expect(await d.rows('UVQueueWorkItemEvent', 'EventGUID', 'BridgeSeq')).toEqual([
      { EventGUID: d.guid('g'), BridgeSeq: 1 },
    ]);
  });

  test('one twice in a batch is there once', async () => {
    const d = desk();
    expect(
      await d.outcomes([d.event('g', 1, { Seq: 1 }), d.event('h', 2), d.event('g', 3, { Seq: 1 })]),
    ).toEqual(['applied', 'applied', 'already-present']);
    expect(await d.rows('UVQueueWorkItemEvent', 'BridgeSeq')).toEqual([
      { BridgeSeq: 1 },
      { BridgeSeq: 2 },
    ]);
  });

  test('defect 10, defect 11: other content under the same key is a conflict that names the columns', async () => {
    const d = desk();
    await d.apply([d.event('g', 1, { WorkItemHash: 'a', BeaconID: 'b1' })]);
    const outputs = await d.apply([
      d.event('g', 2, { WorkItemHash: 'a', BeaconID: 'b2', Seq: null }),
    ]);
    expect(outputs.Results[0]).toMatchObject({ Outcome: 'conflict' });
    expect(outputs.Results[0]?.Reason).toMatch(/BeaconID/);
    expect(outputs.Results[0]?.Reason).not.toMatch(/WorkItemHash|Seq/);
  });

  test('compares values as the database stores them, and not what the worker filled in', async () => {
    const d = desk();
    await d.apply([
      d.event(
        'g',
        1,
        { WorkItemHash: 'a', Seq: null, FromStatus: null, RunID: 12, Payload: null },
        { Fill: { EmittedAt: 'one' } },
      ),
    ]);
    expect(
      await d.outcomes([
        d.event(
          'g',
          2,
          { WorkItemHash: 'a', Seq: 0, FromStatus: '', RunID: '12', Payload: null },
          { Fill: { EmittedAt: 'two' } },
        ),
      ]),
    ).toEqual(['already-present']);
    const attempt = { BeaconID: 'b', DurationMs: 12 };
    await d.apply([d.attempt('a', 1, 3, attempt, { Op: 'insert' })]);
    expect(
      await d.outcomes([
        d.attempt('a', 1, 4, attempt, { Op: 'insert' }),
        d.attempt('a', 1, 5, { BeaconID: 'B' }, { Op: 'insert' }),
      ]),
    ).toEqual(['already-present', 'conflict']);
  });

  test('floats, big integers, booleans and dates compare equal to themselves', async () => {
    const d = desk();
    const set = {
      Health: 0.1 + 0.2,
      Priority: Number.MAX_SAFE_INTEGER,
      CancelRequested: true,
      Result: '{"b":1, "a":2}',
    };
    await d.apply([d.workItem('a', 1, set, { Op: 'insert' })]);
    expect(await d.outcomes([d.workItem('a', 2, set, { Op: 'insert' })])).toEqual([
      'already-present',
    ]);
    expect(
      await d.outcomes([d.workItem('a', 3, { ...set, CancelRequested: false }, { Op: 'insert' })]),
    ).toEqual(['conflict']);
  });
}

export function deleteTests(desk: () => Desk): void {
  test('is soft, happens once, and a row that is not there is as good as deleted', async () => {
    const d = desk();
    await d.apply([d.manifest('m', 1, { Status: 'Complete' })]);
    expect(await d.outcomes([d.removal('m', 2), d.removal('none', 3)], { now: later })).toEqual([
      'applied',
      'not-found',
    ]);
    expect(await d.rows('UVManifest', 'Deleted', 'BridgeSeq', 'UpdateDate', 'Status')).toEqual([
      { Deleted: 1, BridgeSeq: 2, UpdateDate: later, Status: 'Complete' },
    ]);
    expect(await d.outcomes([d.removal('m', 2)], { epoch: 'epoch-2' })).toEqual([
      'already-present',
    ]);
  });

  test('of an older Seq than the row’s changes nothing', async () => {
    const d = desk();
    await d.apply([d.manifest('m', 5)]);
    expect(await d.outcomes([d.removal('m', 4)], { isBelowMark: true })).toEqual([
      'already-present',
    ]);
    expect(await d.rows('UVManifest', 'Deleted', 'BridgeSeq')).toEqual([
      { Deleted: 0, BridgeSeq: 5 },
    ]);
  });
}
