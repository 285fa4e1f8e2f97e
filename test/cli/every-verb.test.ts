/**
 * Every verb once through the real program, on one system of real processes; a verb without a case
 * fails, and every reading verb gives JSON.
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EntryView } from '../../cli/offline/inspect.ts';
import { allVerbs } from '../../cli/verbs/top-verbs.ts';
import { root } from '../kit/source.ts';
import { Stack } from '../kit/processes/stack.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { demoAlone, importHubAlone, printed, upAlone } from '../kit/processes/alone.ts';
import { until } from '../kit/until.ts';
import { type Ran, tidemark } from '../kit/processes/cli-fixture.ts';

const deadlineMs = 45_000;
const dir = tempDir('every-verb');
let stack: Stack;
/** A copy of the worker's store, for verbs that want it for themselves. */
const apart = dir.at('apart');

beforeAll(async () => {
  stack = await Stack.start();
}, 90_000);

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

/** On the running system; `data` is the worker's own folder. */
const run = (line: string, ...more: string[]): Promise<Ran> =>
  tidemark([...line.split(' '), ...more, '--nats', stack.nats.url, '--data', stack.workerFile()]);
const offBus = (line: string, ...more: string[]): Promise<Ran> =>
  tidemark([...line.split(' '), ...more, '--nats', 'nats://127.0.0.1:1', '--data', apart]);

const bootstrapped = () =>
  until('bootstrapped', async () => (await stack.status()).State === 'bootstrapped', {
    deadlineMs,
  });

const entries = async () =>
  (await printed<{ Entries: EntryView[] }>(run('journal ls --limit 1000 --json'))).Entries;

/** In the order they run. */
const cases: Record<string, () => Promise<void>> = {
  worker: async () =>
    expect([stack.worker.args[0], stack.worker.isRunning, (await stack.status()).HubID]).toEqual([
      'worker',
      true,
      'hub1',
    ]),
  beacon: async () =>
    expect([stack.beacon.args[0], stack.beacon.isRunning]).toEqual(['beacon', true]),
  publish: async () => {
    const { Sent, Accepted, Refused } = await printed<Record<string, number>>(
      run('publish', join(root, 'examples', 'demo-queue.jsonl'), '--batch', '50'),
    );
    expect([(Accepted ?? 0) > 100, (Sent ?? 0) >= (Accepted ?? 0), Refused]).toEqual([
      true,
      true,
      0,
    ]);
    await stack.drained();
  },
  status: async () => {
    expect(await printed(run('status --json'))).toMatchObject({
      HubID: 'hub1',
      State: 'bootstrapped',
      Drill: null,
    });
    expect(await printed(run('status --offline --json'))).toMatchObject({ Offline: true });
    expect(await run('status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^queue +bootstrapped +db-1/m),
    });
  },
  locate: async () => {
    const [first] = await entries();
    expect(await printed(run(`locate ${first?.EventGUID} --json`))).toMatchObject({
      State: 'applied',
      Seq: first?.Seq,
    });
    expect(
      await printed(run('locate 0b8f6c1e-2d4a-4c3b-9f57-6a1d2e3f4a5b --json'), 3),
    ).toMatchObject({
      State: 'unknown',
    });
  },
  pause: async () => {
    expect(await printed(run('pause --json'))).toMatchObject({ Success: true });
    expect((await stack.status()).Queue.IsPaused).toBe(true);
  },
  'hwm show': async () => {
    expect(await printed(run('hwm show --json'))).toMatchObject({
      Version: 2,
      Queue: { 'db-1': { 1: {} } },
    });
    expect(await printed(run('hwm show --offline --json'))).toMatchObject({ Offline: true });
  },
  'hwm plan': async () => {
    const [first] = await entries();
    expect(await printed(run(`hwm plan --to ${first?.Seq} --lane queue --json`))).toMatchObject({
      Lanes: [{ Lane: 'queue', Direction: 'backwards' }],
    });
  },
  'hwm set': async () => {
    const [first] = await entries();
    expect(
      await printed(run(`hwm set --to ${first?.Seq} --lane queue --reason test --json`)),
    ).toMatchObject({ Lanes: [{ Lane: 'queue', To: first?.Seq }] });
  },
  resume: async () => {
    expect(await printed(run('resume --json'))).toMatchObject({ Success: true });
    await stack.drained();
  },
  clear: async () => {
    expect(await printed(run('clear --json'))).toMatchObject({ Queue: { State: 'unassigned' } });
  },
  assign: async () => {
    expect(await printed(run('assign db-1 1 --json'))).toMatchObject({
      Success: true,
      Queue: { AssignedBeaconID: 'db-1' },
    });
    await bootstrapped();
  },
  'dead-letters ls': async () => {
    const seq = await stack.deadLetter('ls');
    expect(await printed(run('dead-letters ls --json'))).toMatchObject({
      DeadLetters: [{ Seq: seq, Key: 'poison-ls' }],
    });
  },
  'dead-letters show': async () => {
    const seq = await stack.deadLetter('show');
    expect(await printed(run(`dead-letters show ${seq} --json`))).toMatchObject({
      DeadLetter: { Seq: seq, Reason: expect.stringContaining('poison') as string },
    });
    expect((await run('dead-letters show 5')).code).toBe(3);
  },
  'dead-letters drop': async () => {
    expect(
      await printed(run(`dead-letters drop ${await stack.deadLetter('drop')} --json`)),
    ).toMatchObject({
      Success: true,
    });
  },
  'dead-letters retry': async () => {
    const seq = await stack.deadLetter('retry');
    const db = new Database(stack.backendPath);
    db.exec('drop trigger no_poison');
    db.close();
    expect(await printed(run(`dead-letters retry ${seq} --json`))).toMatchObject({ Success: true });
    for (const { Seq } of (
      await printed<{ DeadLetters: { Seq: number }[] }>(run('dead-letters ls --json'))
    ).DeadLetters)
      if (Seq !== seq) await run(`dead-letters retry ${Seq}`);
    await until('all are delivered', async () => (await stack.status()).Queue.DeadLetters === 0, {
      deadlineMs,
    });
  },
  drill: async () => {
    expect(await printed(run('drill db-1 --seconds 1 --json'))).toMatchObject({
      BeaconID: 'db-1',
      EndedBy: 'deadline',
    });
  },
  doctor: async () => {
    const { Checks } = await printed<{ Checks: { Level: string }[] }>(run('doctor --json'));
    expect(Checks.filter(({ Level }) => Level !== 'ok')).toEqual([]);
  },
  'config show': async () =>
    expect(Object.keys(await printed(run('config show --json')))).toEqual(['Settings']),
  'config check': async () =>
    expect(await printed(run('config check --json'))).toMatchObject({ Success: true }),
  'journal stats': async () => {
    await stack.copyStore(apart);
    expect(await printed(run('journal stats --json'))).toMatchObject({ Pending: 0 });
    expect(await printed(offBus('journal stats --json'))).toMatchObject({
      Store: (await stack.status()).Store,
    });
  },
  'journal ls': async () => expect((await entries()).length).toBeGreaterThan(100),
  'journal verify': async () =>
    expect(await printed(run('journal verify --json'))).toMatchObject({ Problems: [] }),
  'journal export': async () => {
    await stack.copyStore(apart);
    const { Exported } = await printed<{ Exported: number }>(
      offBus('journal export --json', '--out', dir.at('out.jsonl')),
    );
    expect(readFileSync(dir.at('out.jsonl'), 'utf8').trimEnd().split('\n').length).toBe(Exported);
  },
  'import-hub': () => importHubAlone(dir),
  'journal import': async () => {
    expect(
      await printed(offBus('journal import --dry-run --json', dir.at('out.jsonl'))),
    ).toMatchObject({ Imported: 0, Rejected: 0 });
    expect(await printed(offBus('journal import --json', dir.at('out.jsonl')))).toMatchObject({
      Imported: 0,
      Rejected: 0,
    });
  },
  'journal salvage': async () => {
    expect(
      await printed(offBus('journal salvage --json', apart, '--out', dir.at('saved.jsonl'))),
    ).toMatchObject({ Source: 'sound', Rejected: 0 });
  },
  'ops new': async () => {
    const { Path } = await printed<{ Path: string }>(run('ops new count refused messages --json'));
    expect(existsSync(Path)).toBe(true);
    writeFileSync(
      Path,
      "export const description = 'counts'; export const isSkippable = true; export " +
        "function run(context) { return String(context.db.prepare('select count(*) from " +
        "refused').pluck().get()); }",
    );
  },
  'ops status': async () =>
    expect(await printed(run('ops status --json'), 6)).toMatchObject({ Pending: 1 }),
  'ops skip': async () => {
    const [{ ID } = { ID: '' }] = (
      await printed<{ Operations: { ID: string }[] }>(run('ops status --json'), 6)
    ).Operations;
    expect(
      await printed(run(`ops skip ${ID} --reason test --until 2999-01-01T00:00:00Z --json`)),
    ).toMatchObject({ Success: true });
  },
  'ops run': async () =>
    expect(await printed(run('ops run compact --json'))).toMatchObject({
      Results: [{ ID: 'compact' }],
    }),
  'ops history': async () =>
    expect(
      (await printed<{ Attempts: { ID: string }[] }>(run('ops history --json'))).Attempts.map(
        ({ ID }) => ID,
      ),
    ).toContain('compact'),
  'beacon audit': async () => {
    const { Lines } = await printed<{ Lines: object[] }>(
      tidemark([
        'beacon',
        'audit',
        '--data',
        stack.beacon.args[stack.beacon.args.indexOf('--data') + 1] ?? '',
        '--json',
      ]),
    );
    expect(Lines.length).toBeGreaterThan(0);
  },
  'beacon plan': async () => {
    expect(
      (
        await printed<{ MigrationStatements: string[] }>(
          tidemark(['beacon', 'plan', `sqlite:${dir.at('new.sqlite')}`, '--json']),
        )
      ).MigrationStatements.length,
    ).toBeGreaterThan(5);
    copyFileSync(stack.backendPath, dir.at('copy.sqlite'));
    expect(
      await printed(tidemark(['beacon', 'plan', `sqlite:${stack.backendPath}`, '--json'])),
    ).toMatchObject({ MigrationStatements: [] });
  },
  log: async () => {
    const { Actions } = await printed<{ Actions: { Action: string }[] }>(run('log --json'));
    expect(Actions.map(({ Action }) => Action)).toEqual(
      expect.arrayContaining(['assign', 'pause', 'drill', 'dead-letters retry']),
    );
  },
  permissions: async () =>
    expect(Object.keys(await printed(run('permissions --json'))).join()).toBe(
      'worker,beacon,hub,dropin,operator',
    ),
  completion: async () => {
    expect(await printed(run('completion bash --json'))).toMatchObject({ Shell: 'bash' });
    expect((await run('completion powershell')).code).toBe(2);
  },
  drain: async () => {
    expect(await printed(run('drain --until-empty --json'))).toMatchObject({
      Queue: { Pending: 0 },
    });
    expect(await stack.worker.exited).toBe('exit 0');
  },
  up: () => upAlone(dir),
  demo: demoAlone,
};

test('every verb has its case, and no case is without its verb', () => {
  expect(Object.keys(cases).sort()).toEqual(
    allVerbs()
      .map(({ path }) => path)
      .sort(),
  );
});

describe('through the real program', () => {
  test.each(Object.entries(cases))('tidemark %s', async (_, run) => run(), 120_000);
});
