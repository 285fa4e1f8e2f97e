/**
 * Who did what: each changing call, over HTTP and over the bus, also what was refused; bounded,
 * read through every door, and never in the way.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { systemClock } from '../../../runtime/clock.ts';
import type { Log } from '../../../runtime/log.ts';
import {
  busCallOf,
  type OperatorActions,
  OperatorLog,
} from '../../../worker/operators/operator-log.ts';
import { tidemark } from '../../kit/processes/cli-fixture.ts';
import { connectHub, type TestHub } from '../../kit/processes/hub.ts';
import { ManualClock } from '../../kit/manual-clock.ts';
import { openStore, silent } from '../../kit/worker/fixture.ts';
import { startWorkerKit, type WorkerKit } from '../../kit/processes/worker-kit.ts';

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe('a running worker', () => {
  let kit: WorkerKit;
  let hub: TestHub;
  beforeAll(async () => {
    kit = await startWorkerKit({
      env: () => ({ TIDEMARK_TOKEN: 'op-secret', TIDEMARK_VIEW_TOKEN: 'view-secret' }),
    });
    hub = await connectHub(kit.nats.url, { hub: 'hub1' });
  }, 120_000);
  afterAll(async () => {
    await hub?.[Symbol.asyncDispose]();
    await kit?.[Symbol.asyncDispose]();
  });

  const actions = async (query = '') =>
    (await kit.ask({ path: `/api/operator-log${query}` })).json as unknown as OperatorActions;
  const newest = async () => (await actions('?limit=1')).Actions[0];
  const control = (verb: string, body: object) =>
    hub.request(subjects.control('hub1', verb), JSON.stringify(body), {
      'Content-Type': 'application/json',
    });

  test('over HTTP: by the name of the token, what it was, and how it ended', async () => {
    const post = (
      path: string,
      body?: object,
      headers: Record<string, string> = bearer('op-secret'),
    ) => kit.ask({ method: 'POST', path, headers, body });
    await post('/Ultravisor/Persistence/Assign', { BeaconID: 'db-9', IDBeaconConnection: 1 });
    expect(await newest()).toMatchObject({
      Who: 'operator',
      Via: 'http',
      Action: 'assign',
      Detail: '{"BeaconID":"db-9","IDBeaconConnection":1}',
      Outcome: 'done',
      Reason: null,
    });
    await post('/Ultravisor/Persistence/Assign', { BeaconID: 'db 9', IDBeaconConnection: 1 });
    expect(await newest()).toMatchObject({
      Action: 'assign',
      Outcome: 'refused',
      Reason: expect.stringContaining('BeaconID') as string,
    });
    await post('/api/dead-letters/77/drop');
    expect(await newest()).toMatchObject({
      Action: 'dead-letters drop',
      Detail: '{"Seq":77}',
      Outcome: 'refused',
      Reason: expect.stringContaining('77') as string,
    });
    await post('/api/dead-letters/id-5/drop');
    expect(await newest()).toMatchObject({
      Action: 'dead-letters drop',
      Detail: '{"ID":5}',
      Outcome: 'refused',
    });
    await post('/api/clear', undefined, bearer('view-secret'));
    expect(await newest()).toMatchObject({ Who: 'viewer', Action: 'clear', Outcome: 'denied' });
    await post('/api/clear', undefined, bearer('wrong-secret'));
    expect(await newest()).toMatchObject({ Who: 'nobody', Action: 'clear', Outcome: 'denied' });
    await post('/api/clear', undefined, { ...bearer('op-secret'), Origin: 'http://evil.example' });
    expect(await newest()).toMatchObject({
      Who: 'operator',
      Action: 'clear',
      Outcome: 'denied',
      Reason: expect.stringContaining('another site') as string,
    });
    await post('/api/nonsense');
    expect(await newest()).toMatchObject({ Action: 'nonsense', Outcome: 'refused' });
    const before = (await newest())?.ID;
    await kit.ask({});
    expect((await newest())?.ID).toBe(before);
    expect(JSON.stringify(await actions())).not.toContain('secret');
  });

  test('over the bus: who the caller says it is, and only what changes something', async () => {
    await control('pause', {});
    expect(await newest()).toMatchObject({
      Who: 'bus',
      Via: 'bus',
      Action: 'pause',
      Detail: null,
      Outcome: 'done',
    });
    await control('resume', { RemoteUser: 'ann' });
    expect(await newest()).toMatchObject({ Who: 'bus:ann', Action: 'resume', Outcome: 'done' });
    await control('dead-letters', { retry: 5 });
    expect(await newest()).toMatchObject({
      Action: 'dead-letters retry',
      Detail: '{"retry":5}',
      Outcome: 'refused',
    });
    await control('hwm', { set: { To: 5 } });
    expect(await newest()).toMatchObject({
      Action: 'hwm set',
      Outcome: 'refused',
      Reason: expect.stringContaining('Reason') as string,
    });
    const before = (await newest())?.ID;
    for (const [verb, body] of [
      ['status', {}],
      ['hwm', {}],
      ['dead-letters', {}],
      ['journal', {}],
      ['ops', {}],
      ['operator-log', {}],
    ] as const)
      await control(verb, body);
    expect((await newest())?.ID).toBe(before);
  });

  test('the command line tells its user, shows it in pages, and reads it from the file beside the worker', async () => {
    expect((await tidemark(['pause', '--nats', kit.nats.url])).code).toBe(0);
    expect((await newest())?.Who).toMatch(/^bus:\w+/);
    const all = (await actions()).Actions;
    const shown = await tidemark(['log', '--limit', '2', '--nats', kit.nats.url]);
    expect([shown.code, shown.stdout.split('\n')[1], shown.stderr.trim()]).toEqual([
      0,
      expect.stringContaining('pause'),
      `more: --before ${all[1]?.ID}`,
    ]);
    const paged = await tidemark([
      'log',
      '--json',
      '--before',
      String(all[1]?.ID),
      '--nats',
      kit.nats.url,
    ]);
    expect((JSON.parse(paged.stdout) as OperatorActions).Actions).toEqual(all.slice(2));
    const offline = await tidemark(['log', '--json', '--offline', '--data', kit.dataDir]);
    expect(JSON.parse(offline.stdout)).toEqual({ Offline: true, Actions: all, Next: null });
    expect((await kit.ask({ path: '/api/operator-log?limit=0' })).json).toMatchObject({
      Code: 'INVALID_MESSAGE',
      Reason: expect.stringContaining('Limit') as string,
    });
    expect((await tidemark(['log', '--offline', '--data', kit.at('none')])).code).toBe(3);
  }, 120_000);
});

describe('the log itself', () => {
  const open = (log: Log = silent) => {
    const store = openStore();
    return { store, operators: new OperatorLog(store.db, systemClock, log) };
  };

  test('is bounded: the oldest go, and texts are cut to one line', () => {
    const { store, operators } = open();
    store.db
      .prepare(`insert into operator_action (at_ms, who, via, action, detail, outcome, reason)
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
        select i, 'w', 'bus', 'pause', null, 'done', null from n`)
      .run(limits.operatorActionsMax + 50);
    operators.note(
      { who: 'w', via: 'bus', action: 'pause\nfake line', detail: { Text: 'x'.repeat(5_000) } },
      'done',
    );
    expect(store.db.prepare('select count(*) from operator_action').pluck().get()).toBe(
      limits.operatorActionsMax,
    );
    const [last] = operators.list({ Limit: 1 }).Actions;
    expect([last?.Action, last?.Detail?.length]).toEqual([
      'pause fake line',
      limits.operatorTextCharsMax,
    ]);
  });

  const denials = 10_200;

  test('I14: any number of denied calls pushes out nothing that was done, and is written in one go', () => {
    const { store, operators } = open();
    operators.note({ who: 'ann', via: 'http', action: 'pause' }, 'done');
    const before = store.db.prepare('select total_changes()').pluck().get() as number;
    for (let n = 0; n < denials; n += 1)
      operators.note(
        { who: 'nobody', via: 'http', action: `POST /nope/${n}`, detail: { n } },
        'denied',
        'no token',
      );
    operators.note({ who: 'vic', via: 'http', action: 'clear' }, 'denied', 'vic may view');
    const { Actions } = operators.list({});
    expect(Actions).toMatchObject([
      { Who: 'vic', Action: 'clear', Outcome: 'denied', Detail: null },
      { Who: 'nobody', Action: 'other', Outcome: 'denied', Detail: `{"Times":${denials}}` },
      { Who: 'ann', Action: 'pause', Outcome: 'done' },
    ]);
    operators.note({ who: 'vic', via: 'http', action: 'clear' }, 'denied', 'vic may view');
    expect(operators.list({ Limit: 1 }).Actions).toMatchObject([{ Detail: '{"Times":2}' }]);
    const after = store.db.prepare('select total_changes()').pluck().get() as number;
    expect(after - before).toBeLessThan(10);
  });

  test('I14: any number of wrong calls pushes out nothing that was done', () => {
    const { store, operators } = open();
    operators.note({ who: 'ann', via: 'bus', action: 'pause' }, 'done');
    store.db
      .prepare(`insert into operator_action (at_ms, who, via, action, detail, outcome, reason)
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
        select i, 'bus', 'bus', 'nonsense', null, 'refused', null from n`)
      .run(limits.operatorActionsMax + 50);
    operators.note({ who: 'bus', via: 'bus', action: 'nonsense' }, 'refused', 'unknown verb');
    operators.note({ who: 'bob', via: 'bus', action: 'resume' }, 'done');
    const rows = store.db.prepare(
      'select outcome, count(*) as n from operator_action group by outcome',
    );
    expect(rows.all()).toEqual([
      { outcome: 'done', n: 2 },
      { outcome: 'refused', n: limits.operatorRefusalsMax },
    ]);
  });

  test('I14: denied calls of many kinds and minutes are bounded, apart from what was done', async () => {
    const store = openStore();
    const clock = new ManualClock();
    const operators = new OperatorLog(store.db, clock, silent);
    operators.note({ who: 'ann', via: 'http', action: 'pause' }, 'done');
    const call = { via: 'http', action: 'clear' } as const;
    for (let minute = 0; minute < 60; minute += 1) {
      for (let n = 0; n < limits.deniedKindsMax * 3; n += 1)
        operators.note({ ...call, who: `who${n}` }, 'denied', 'why');
      await clock.advance(60_000);
    }
    const count = (where: string) =>
      store.db.prepare(`select count(*) from operator_action where ${where}`).pluck().get();
    expect([
      count("outcome = 'done'"),
      count("outcome = 'denied'"),
      count("who = 'others'"),
    ]).toEqual([1, limits.operatorDenialsMax, expect.any(Number)]);
    expect(operators.list({ Limit: 1 }).Actions).toMatchObject([
      { Who: 'others', Detail: JSON.stringify({ Times: limits.deniedKindsMax * 2 }) },
    ]);
  });

  test('failing, it is not in the way: verbs are answered as they end, the process log says what failed', async () => {
    const warnings: object[] = [];
    const { store, operators } = open({ ...silent, warn: (fields) => void warnings.push(fields) });
    store.db.exec('drop table operator_action');
    const call = { who: 'w', via: 'bus', action: 'pause' } as const;
    expect(operators.run(call, () => 'answer')).toBe('answer');
    expect(await operators.run(call, () => Promise.resolve('later'))).toBe('later');
    expect(() =>
      operators.run(call, () => {
        throw new Error('as it was');
      }),
    ).toThrow('as it was');
    await expect(operators.run(call, () => Promise.reject(new Error('as it was')))).rejects.toThrow(
      'as it was',
    );
    expect(warnings).toHaveLength(4);
    expect(warnings[0]).toMatchObject({ action: 'pause', outcome: 'done' });
  });

  test('every verb that is not known to only look is noted', () => {
    expect(busCallOf('ops', { Verb: 'run', ID: 'a/b', RemoteUser: 'ann' })).toEqual({
      who: 'bus:ann',
      via: 'bus',
      action: 'ops run',
      detail: { Verb: 'run', ID: 'a/b' },
    });
    for (const [verb, body] of [
      ['dead-letters', { Verb: 'drop', Seq: 1 }],
      ['ops', { Verb: 'skip' }],
      ['something-new', {}],
      ['assign', {}],
      ['constructor', {}],
    ] as const)
      expect(busCallOf(verb, body)).not.toBeNull();
    for (const [verb, body] of [
      ['ops', { Verb: 'progress' }],
      ['dead-letters', { show: 4 }],
      ['hwm', { plan: { To: 1 } }],
      ['locate', {}],
    ] as const)
      expect(busCallOf(verb, body)).toBeNull();
  });
});
