/** Filters of table endpoints on any engine. */
import { expect, test } from 'vitest';
import type { RunningBackend } from '../backends.ts';
import { encoded, endpointsFor } from '../endpoints.ts';

const T = 'UVQueueWorkItem';

export function filterTests(backend: () => RunningBackend): void {
  test('defect 37: a hash with ~ and quotes is found, and is no filter', async () => {
    const { call, list } = await endpointsFor(backend());
    const hashes = [
      `it's ~FBVOR~Status~EQ~Pending "x"/y?`,
      'other',
      '100%',
      'a_b',
      'back\\slash',
      '\u{1F600}~',
    ];
    await call(
      'POST',
      `${T}s`,
      hashes.map((WorkItemHash) => ({ HubID: 'h', WorkItemHash })),
    );
    for (const hash of hashes) {
      expect(await list(`${T}s/FilteredTo/FBV~WorkItemHash~EQ~${encoded(hash)}`)).toMatchObject([
        { WorkItemHash: hash },
      ]);
      expect(await list(`${T}s/By/WorkItemHash/${encodeURIComponent(hash)}`)).toMatchObject([
        { WorkItemHash: hash },
      ]);
    }
  });

  test('every operator, brackets, lists, nulls and numbers', async () => {
    const { call, list } = await endpointsFor(backend());
    await call(
      'POST',
      `${T}s`,
      Array.from({ length: 8 }, (_, at) => ({
        HubID: 'h',
        WorkItemHash: `w${at}`,
        Priority: at,
        Health: at === 3 ? null : at / 4,
        Status: at % 2 ? 'odd' : 'even',
        CancelRequested: at > 5,
        Result: at === 2 ? null : '{}',
        QueueWaitMs: 2 ** 40 + at,
      })),
    );
    const found = async (filter: string) =>
      (await list(`${T}s/FilteredTo/${filter}`)).map((row) => row['Priority']);
    const cases: [filter: string, found: number[]][] = [
      ['FBV~Priority~GT~5', [6, 7]],
      ['FBV~Priority~GE~6.5', [7]],
      ['FBV~Priority~LT~1.5', [0, 1]],
      ['FBV~Priority~NE~0~FBV~Priority~LE~2', [1, 2]],
      ['FBV~Health~EQ~0.25', [1]],
      ['FBV~Health~IN~0', [3]],
      ['FBV~Result~IN~', [2]],
      ['FBV~Health~NN~0~FBV~Priority~LT~5', [0, 1, 2, 4]],
      ['FBV~CancelRequested~EQ~1', [6, 7]],
      ['FBV~CancelRequested~EQ~true', [6, 7]],
      ['FBV~CancelRequested~NE~1~FBV~Priority~GT~4', [5]],
      ['FBL~Priority~INN~1,3,99', [1, 3]],
      ['FBL~WorkItemHash~NIN~w0,w1,w2,w3,w4', [5, 6, 7]],
      ['FBV~QueueWaitMs~GT~1099511627780', [5, 6, 7]],
      ['FBV~WorkItemHash~LK~w%25~FBV~Priority~LT~2', [0, 1]],
      ['FBV~Status~NLK~e%25~FBV~Priority~LT~4', [1, 3]],
      ['FBV~Status~LK~_dd~FBV~Priority~LT~2', [1]],
      ['FOP~0~(~0~FBV~Priority~EQ~1~FBVOR~Priority~EQ~2~FCP~0~)~0~FBV~Status~EQ~odd', [1]],
      ['FBV~Priority~EQ~7~FOPOR~0~(~0~FBV~Priority~EQ~1~FBV~Status~EQ~odd~FCP~0~)~0', [1, 7]],
      ['FBV~Priority~LT~1e300~FBV~Priority~GT~6', [7]],
      ['FBV~Priority~EQ~1.5', []],
      ['FBV~IDUVQueueWorkItem~GT~0~FBV~Priority~LT~1', [0]],
    ];
    for (const [filter, expected] of cases)
      expect([filter, ...(await found(`${filter}~FSF~Priority~ASC~0`))]).toEqual([
        filter,
        ...expected,
      ]);
    const many = Array.from({ length: 3_000 }, (_, at) => `w${at * 3}`);
    expect(await found(`FBL~WorkItemHash~INN~${many.join(',')}~FSF~Priority~ASC~0`)).toEqual([
      0, 3, 6,
    ]);
  });

  test('dates compare as instants, and by day', async () => {
    const { call, list, clock } = await endpointsFor(backend());
    for (const name of ['one', 'two', 'three']) {
      await call('POST', T, { HubID: 'h', WorkItemHash: name });
      await clock.advance(name === 'one' ? 1 : 20 * 3_600_000);
    }
    const found = async (filter: string) =>
      (await list(`${T}s/FilteredTo/${filter}`)).map((row) => row['WorkItemHash']);
    expect(await found('FBV~CreateDate~EQ~2026-11-21T08:00:00.001Z')).toEqual(['two']);
    expect(await found('FBV~CreateDate~GT~2026-11-21T08:00:00.000Z')).toEqual(['two', 'three']);
    expect(await found('FBV~CreateDate~LE~2026-11-21T08:00:00.000Z')).toEqual(['one']);
    expect(await found('FBD~CreateDate~EQ~2026-11-22')).toEqual(['three']);
    expect(await found('FBD~CreateDate~LT~2026-11-22')).toEqual(['one', 'two']);
    expect(await found('FSF~CreateDate~DESC~0')).toEqual(['three', 'two', 'one']);
  });

  test('a value no row can have finds none, and is no failure', async () => {
    const { call } = await endpointsFor(backend());
    await call('POST', T, { HubID: 'h', WorkItemHash: 'a' });
    for (const value of ['%00', 'a%00', '%F0%9F%98%80', encodeURIComponent('x'.repeat(5_000))]) {
      const { status, body } = await call('GET', `${T}s/FilteredTo/FBV~WorkItemHash~EQ~${value}`);
      expect([status < 500, status === 200 ? body : []]).toEqual([true, []]);
    }
    for (const path of [
      `${T}/99999999999999999999`,
      `${T}/${2 ** 53 - 1}`,
      `${T}/-1`,
      `${T}/1.5`,
      `${T}/x`,
    ])
      expect([path, 400, 404]).toContain((await call('GET', path)).status);
    expect((await call('GET', `${T}s/FilteredTo/FBV~CreateDate~GT~never`)).status).toBeLessThan(
      500,
    );
  });
}
