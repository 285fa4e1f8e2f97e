/** `ops` on the command line without a worker: what it says, what it does, and its exit codes. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Ran, storeAtRest, tempFolder, tidemark } from '../../kit/processes/cli-fixture.ts';

/** A data directory with a store at rest, and the command line on it with no bus in reach. */
function bench() {
  const { path, data } = storeAtRest();
  mkdirSync(join(data, 'ops'));
  const ops = (
    args: string[],
    more: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
  ): Promise<Ran> =>
    tidemark(['ops', ...args, '--data', data, '--nats', 'nats://127.0.0.1:1'], {
      cwd: path,
      ...more,
    });
  /** Leaves a line in a file outside for each time it is called, rolled back or not. */
  const op = (id: string, more = '', exports = '') =>
    writeFileSync(
      join(data, 'ops', `${id}.ts`),
      `import { appendFileSync } from 'node:fs';
    export const description: string = 'does ${id}';\n${exports}
    export function run(context: { db: { prepare(sql: string): { run(...values: unknown[]): void } } }) {
      appendFileSync(${JSON.stringify(join(path, 'calls'))}, '${id}\\n');
      context.db.prepare("insert into meta values (?, 'x')").run('${id}'); ${more} }`,
    );
  const calls = () =>
    existsSync(join(path, 'calls'))
      ? readFileSync(join(path, 'calls'), 'utf8').trim().split('\n')
      : [];
  return { path, data, ops, op, calls };
}

test('B15 — status without a store is exit 3 and unknown, never pending, and makes none', async () => {
  using folder = tempFolder();
  mkdirSync(join(folder.path, 'ops'));
  writeFileSync(
    join(folder.path, 'ops', 'a.ts'),
    "export const description = 'a'; export function run() {}",
  );
  for (const verb of ['status', 'run', 'history']) {
    const ran = await tidemark([
      'ops',
      verb,
      '--data',
      folder.path,
      '--nats',
      'nats://127.0.0.1:1',
    ]);
    expect([ran.code, ran.stdout]).toEqual([3, '']);
    expect(ran.stderr).toMatch(/unknown/);
  }
  expect(readdirSync(folder.path)).toEqual(['ops']);
});

test('B15 B16 — status is 6 while one is pending or failed, 0 after; run applies, a dry run does not', async () => {
  const { ops, op, calls } = bench();
  expect((await ops(['status'])).code).toBe(0);
  op('2026-01-01-a');
  const pending = await ops(['status', '--json']);
  expect([pending.code, JSON.parse(pending.stdout)]).toMatchObject([
    6,
    { Pending: 1, Failed: 0, Operations: [{ ID: '2026-01-01-a', State: 'pending' }] },
  ]);
  const tried = await ops(['run', '--dry-run']);
  expect(tried.code).toBe(0);
  expect(tried.stdout).toMatch(/rolled back[\s\S]*meta +1 +0 +0/);
  expect((await ops(['status'])).code).toBe(6);
  expect((await ops(['run'])).code).toBe(0);
  expect((await ops(['status'])).code).toBe(0);
  expect(calls()).toEqual(['2026-01-01-a', '2026-01-01-a']);
  const history = JSON.parse((await ops(['history', '2026-01-01-a', '--json'])).stdout) as {
    Attempts: object[];
  };
  expect(history.Attempts).toMatchObject([
    { Result: 'applied', By: 'cli', Changes: 1 },
    { Result: 'rolled_back' },
  ]);
});

test('B6 — a failing one is exit 1 and says how many were not attempted', async () => {
  const { ops, op, calls } = bench();
  op('1-a');
  op('2-b', "throw new Error('does not fit')");
  op('3-c');
  const ran = await ops(['run']);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(/2-b +failed .*does not fit/);
  expect(ran.stdout).toMatch(/^1 not attempted$/m);
  expect(calls()).toEqual(['1-a', '2-b']);
  expect((await ops(['status'])).code).toBe(6);
});

test('B8 — of four processes started together one runs it; the others meet the lock or nothing pending', async () => {
  const { ops, op, calls } = bench();
  op('a');
  const ended = await Promise.all([1, 2, 3, 4].map(() => ops(['run'])));
  expect(calls()).toEqual(['a']);
  expect(ended.filter(({ code }) => code === 0).length).toBeGreaterThan(0);
  for (const { code, stderr } of ended) {
    if (code !== 0)
      expect([code, stderr]).toEqual([4, expect.stringMatching(/holds .*writer\.lock/)]);
  }
}, 60_000);

test('B5 — a relative folder counts from where the command was started; plain JavaScript runs too', async () => {
  const { ops, path } = bench();
  mkdirSync(join(path, 'elsewhere', 'mine'), { recursive: true });
  writeFileSync(join(path, 'elsewhere', 'mine', 'part.mjs'), "export const text = 'from a part';");
  writeFileSync(
    join(path, 'elsewhere', 'mine', '1-a.js'),
    "import { sep } from 'node:path'; export const description = 'a'; export function run() { return `at ${sep}`; }",
  );
  const ran = await ops(['run', '--ops-dir', './mine', '--json'], { cwd: join(path, 'elsewhere') });
  expect(ran.stderr + ran.stdout).toMatch(/part\.mjs is not an operation/);
  writeFileSync(join(path, 'elsewhere', 'mine', '_part.mjs'), "export const text = 'from a part';");
  writeFileSync(
    join(path, 'elsewhere', 'mine', 'part.mjs'),
    "import { text } from './_part.mjs'; export const description = 'b'; export function run() { return text; }",
  );
  const again = await ops(['run', '--ops-dir', './mine', '--json'], {
    cwd: join(path, 'elsewhere'),
  });
  expect(JSON.parse(again.stdout)).toMatchObject({
    Results: [
      { ID: '1-a', Note: 'at /' },
      { ID: 'part', Note: 'from a part' },
    ],
  });
});

test('B4 — a .ts file in a package of another kind is refused with the way out', async () => {
  const { ops, path, data } = bench();
  writeFileSync(join(path, 'package.json'), '{"type": "commonjs"}');
  writeFileSync(
    join(data, 'ops', '1-a.ts'),
    "export const description = 'a'; export function run() {}",
  );
  expect(await ops(['run'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /1-a\.ts cannot be loaded.*\.mts and \.mjs are always modules/,
    ) as string,
  });
  renameSync(join(data, 'ops', '1-a.ts'), join(data, 'ops', '1-a.mts'));
  expect((await ops(['run'])).code).toBe(0);
});

test('B10 B11 — the environment leaves one out with 1 only, and all until a time only', async () => {
  const { ops, op, calls } = bench();
  op('1-a', '', 'export const isSkippable = true;');
  const skipped = await ops(['run'], { env: { TIDEMARK_SKIP_OP_1_A: '1' } });
  expect([skipped.code, skipped.stdout]).toEqual([
    6,
    expect.stringMatching(/1-a +skipped .*TIDEMARK_SKIP_OP_1_A=1/),
  ]);
  const later = new Date(Date.now() + 3_600_000).toISOString();
  expect((await ops(['run'], { env: { TIDEMARK_SKIP_OPS_UNTIL: later } })).code).toBe(6);
  expect(await ops(['run'], { env: { TIDEMARK_SKIP_OPS_UNTIL: 'yes' } })).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/until a time only/) as string,
  });
  expect(calls()).toEqual([]);
  expect(
    (
      await ops(['run'], {
        env: { TIDEMARK_SKIP_OP_1_A: 'true', TIDEMARK_SKIP_OPS_UNTIL: '2020-01-01T00:00Z' },
      })
    ).code,
  ).toBe(0);
  expect(calls()).toEqual(['1-a']);
});

test('B10 — ops skip is kept with its reason, holds the operation back, and status says so', async () => {
  const { ops, op, calls, data } = bench();
  op('1-a', '', 'export const isSkippable = true;');
  const until = new Date(Date.now() + 3_600_000).toISOString();
  expect(await ops(['skip', '1-a', '--reason', 'broken', '--until', until])).toMatchObject({
    code: 0,
  });
  expect((await ops(['run'])).code).toBe(6);
  expect(calls()).toEqual([]);
  expect(JSON.parse((await ops(['status', '--json'])).stdout)).toMatchObject({
    Skipped: 1,
    Operations: [{ State: 'skipped', Note: 'broken', Until: until }],
  });
  expect((await ops(['skip', '1-a', '--reason', 'x', '--until', 'soon'])).code).toBe(2);
  expect((await ops(['skip', 'nobody', '--reason', 'x', '--until', until])).code).toBe(3);
  const log = JSON.parse(
    (await tidemark(['log', '--offline', '--json', '--data', data])).stdout,
  ) as { Actions: object[] };
  expect(log.Actions).toEqual([
    expect.objectContaining({
      Action: 'ops skip',
      Outcome: 'refused',
      Reason: expect.stringContaining('nobody') as string,
    }),
    expect.objectContaining({
      Action: 'ops run',
      Outcome: 'done',
      Detail: '{"Args":{},"IsDryRun":false,"IsAnyOrder":false}',
    }),
    expect.objectContaining({
      Who: userInfo().username,
      Via: 'cli',
      Action: 'ops skip',
      Outcome: 'done',
      Detail: JSON.stringify({ ID: '1-a', Reason: 'broken', Until: until }),
    }),
  ]);
});

test('B14 — new makes a file that is pending at once and runs; a bad purpose makes none', async () => {
  const { ops, data } = bench();
  const made = await ops(['new', 'Fix', 'the rows']);
  expect([made.code, made.stdout.trim()]).toEqual([
    0,
    expect.stringMatching(/\/ops\/\d{4}-\d\d-\d\d-\d{4}-fix-the-rows\.mts$/),
  ]);
  for (const bad of ['', '???']) expect((await ops(['new', bad])).code).toBe(2);
  expect(readdirSync(join(data, 'ops'))).toHaveLength(1);
  expect((await ops(['status'])).code).toBe(6);
  expect(await ops(['run'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/0 one-way messages were refused/) as string,
  });
});

test('shipped ones run without a worker as well, with their arguments checked', async () => {
  const { ops } = bench();
  expect(await ops(['run', 'compact'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/compact +applied/) as string,
  });
  expect(await ops(['run', 'purge-dead-letters', '--set', 'older-than-days=30'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/0 dead letters dropped/) as string,
  });
  expect(await ops(['run', 'compact', '--set', 'fast=yes'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/takes no fast; its arguments: full/) as string,
  });
  expect((await ops(['run', 'compact', '--set', 'x'])).code).toBe(2);
  expect((await ops(['run', 'verify-applied'])).code).toBe(1);
  expect((await ops(['run', 'nobody'])).code).toBe(3);
});
