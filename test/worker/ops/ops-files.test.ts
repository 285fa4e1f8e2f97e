/**
 * Operations as files: which files are one, what makes two the same, and what is refused before
 * anything runs.
 */
import { existsSync, mkdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { limits } from '../../../contracts/limits.ts';
import { flagOf, listOperations } from '../../../worker/ops/files.ts';
import { newOperation, slugOf } from '../../../worker/ops/scaffold.ts';
import { folderOfTest } from '../../kit/worker/fixture.ts';
import { kinds, OpsBench } from '../../kit/worker/ops-fixture.ts';

const refusal = (text: RegExp) =>
  expect.objectContaining({ code: 'INVALID_MESSAGE', message: expect.stringMatching(text) });

test('B1 — every operation runs once, in the order of names, and the second start runs none', async () => {
  const bench = new OpsBench();
  bench.op('2026-02-01-second');
  bench.op('2026-01-01-first');
  expect(kinds(await bench.run())).toEqual([
    '2026-01-01-first applied',
    '2026-02-01-second applied',
  ]);
  bench.op('2026-03-01-third');
  expect(kinds(await bench.run())).toEqual(['2026-03-01-third applied']);
  expect(kinds(await bench.run())).toEqual([]);
  expect(bench.effects()).toEqual(['2026-01-01-first', '2026-02-01-second', '2026-03-01-third']);
});

test('what was read of a file is remembered, and no edit of it is missed, its time put back neither', async () => {
  const folder = folderOfTest().path;
  const path = join(folder, '2026-01-01-a.mjs');
  const digest = () => listOperations(folder)[0]?.sha256;
  const old = new Date(Date.now() - 3_600_000);
  const write = (text: string) => {
    writeFileSync(path, text);
    utimesSync(path, old, old);
  };
  write('export const a = 1;');
  const first = digest();
  write('export const a = 2;');
  const second = digest();
  expect(second).not.toBe(first);
  // Old enough for its times to tell it from the next edit.
  await setTimeout(limits.fileTimeTickMs + 100);
  expect([digest(), digest()]).toEqual([second, second]);
  write('export const a = 1;');
  expect(digest()).toBe(first);
});

test('B1 — a file edited after it was applied is reported as drift and not run again', async () => {
  const bench = new OpsBench();
  bench.op('2026-01-01-a');
  await bench.run();
  expect(bench.operations().summary()).toMatchObject({ Pending: 0, Drift: 0 });
  bench.op('2026-01-01-a', "context.say('more')");
  expect(bench.operations().status()).toMatchObject({
    Pending: 0,
    Drift: 1,
    Operations: [{ ID: '2026-01-01-a', State: 'applied', IsDrifted: true }],
  });
  expect(kinds(await bench.run())).toEqual([]);
});

test('B1 — a renamed file is told as the same content under a new id; it runs only by its name', async () => {
  const bench = new OpsBench();
  bench.op('2026-01-01-a');
  await bench.run();
  renameSync(join(bench.folder, '2026-01-01-a.ts'), join(bench.folder, '2026-01-02-b.ts'));
  expect(bench.operations().status()).toMatchObject({
    Drift: 1,
    Operations: [
      { ID: '2026-01-01-a', IsFileGone: true },
      { ID: '2026-01-02-b', SameAs: '2026-01-01-a' },
    ],
  });
  expect(kinds(await bench.run())).toEqual(['2026-01-02-b skipped']);
  expect(bench.effects()).toHaveLength(1);
  expect(kinds(await bench.operations().runOne('2026-01-02-b', bench.request()))).toEqual([
    '2026-01-02-b applied',
  ]);
  expect(bench.effects()).toHaveLength(2);
});

test('B2 — one that comes before an applied one runs only when that is allowed', async () => {
  const bench = new OpsBench();
  bench.op('2026-02-01-b');
  await bench.run();
  bench.op('2026-01-01-a');
  bench.op('2026-03-01-c');
  const report = await bench.run();
  expect(kinds(report)).toEqual(['2026-01-01-a skipped', '2026-03-01-c applied']);
  expect(report.Results[0]?.Note).toMatch(
    /before 2026-03-01-c|before 2026-02-01-b.*--allow-out-of-order/,
  );
  expect(bench.operations().status()).toMatchObject({
    Pending: 1,
    Operations: [{ ID: '2026-01-01-a', LateBehind: '2026-03-01-c' }, {}, {}],
  });
  expect(kinds(await bench.run({ isAnyOrder: true }))).toEqual(['2026-01-01-a applied']);
});

test('B3 — other files, hidden ones, declarations and a missing folder are nothing', async () => {
  const bench = new OpsBench();
  for (const name of ['README.md', '_part.ts', '.hidden.ts', 'types.d.ts', 'a.json', 'b.cjs'])
    bench.file(name, 'throw new Error("was run")');
  mkdirSync(join(bench.folder, 'folder.ts'));
  expect(listOperations(bench.folder)).toEqual([]);
  expect(kinds(await bench.run({}, { folder: join(bench.path, 'nowhere') }))).toEqual([]);
  for (const extension of ['ts', 'mts', 'mjs', 'js'])
    bench.file(
      `op-${extension}.${extension}`,
      `export const description = 'x'; export function run(context) { ` +
        `context.db.exec("insert into effect (what) values ('${extension}')") }`,
    );
  await bench.run();
  expect(bench.effects()).toEqual(['js', 'mjs', 'mts', 'ts']);
});

test('B3 — a folder that cannot be read is an error and not an empty one', async () => {
  const bench = new OpsBench();
  writeFileSync(join(bench.path, 'a-file'), '');
  const parts = { folder: join(bench.path, 'a-file') };
  await expect(bench.run({}, parts)).rejects.toEqual(
    refusal(/cannot read the folder of operations/),
  );
  expect(bench.operations(parts).summary()).toMatchObject({
    Problem: expect.stringMatching(/cannot read/) as string,
  });
});

test('B3 B10 — two files of one id, and two ids of one flag, are refused', () => {
  const bench = new OpsBench();
  bench.op('fix');
  bench.file('fix.js', '');
  expect(() => listOperations(bench.folder)).toThrow(
    refusal(/fix\.js and fix\.ts are the same operation/),
  );
  bench.remove('fix.js');
  bench.op('a-b');
  bench.op('a.b');
  expect(() => listOperations(bench.folder)).toThrow(refusal(/share the flag A_B/));
  expect(flagOf('2026-05-20-fix.roles')).toBe('2026_05_20_FIX_ROLES');
});

test.for([
  ['no description', 'export function run() {}', /must export a description/],
  ['neither run nor step', "export const description = 'x'", /must export run/],
  [
    'both run and step',
    "export const description = 'x'; export function run() {} export function step() {}",
    /not both/,
  ],
  [
    'a word nobody knows',
    "export const description = 'x'; export const skippable = true; export function run() {}",
    /exports skippable/,
  ],
  [
    'an ability there is not',
    "export const description = 'x'; export const uses = ['network']; export function run() {}",
    /uses may name backend only/,
  ],
  [
    'one required that is not there',
    "export const description = 'x'; export const requires = ['nobody']; export function run() {}",
    /requires nobody, which does not exist/,
  ],
  [
    'one required behind it',
    "export const description = 'x'; export const requires = ['9-last']; export function run() {}",
    /sorts after it/,
  ],
  ['a syntax error', 'export const = ;', /cannot be loaded/],
  ['a throw at import', "throw new Error('no luck')", /cannot be loaded: no luck/],
] as const)(
  'B4 B17 — with one that has %s nothing runs, and it is named',
  async ([, text, reason]) => {
    const bench = new OpsBench();
    bench.op('1-good');
    bench.file('2-bad.ts', text);
    bench.op('9-last');
    const operations = bench.operations();
    await expect(operations.runPending(bench.request())).rejects.toEqual(refusal(reason));
    await expect(operations.runPending(bench.request())).rejects.toEqual(refusal(/2-bad/));
    expect(bench.effects()).toEqual([]);
    expect(operations.summary().Problem).toMatch(/2-bad/);
    bench.remove('2-bad.ts');
    expect(kinds(await operations.runPending(bench.request()))).toEqual([
      '1-good applied',
      '9-last applied',
    ]);
    expect(operations.summary().Problem).toBeNull();
  },
);

test('B4 — a mended file is loaded anew by the same process', async () => {
  const bench = new OpsBench();
  bench.op('a', "throw new Error('first try')");
  const operations = bench.operations();
  expect(kinds(await operations.runPending(bench.request()))).toEqual(['a failed']);
  bench.op('a');
  expect(kinds(await operations.runPending(bench.request()))).toEqual(['a applied']);
});

test('B13 — an operation under the name of a shipped one is refused, and types do not shadow each other', async () => {
  const bench = new OpsBench();
  bench.op('compact');
  await expect(bench.run()).rejects.toEqual(refusal(/name of a shipped operation/));
  bench.remove('compact.ts');
  bench.store.db.exec(
    `insert into operation select 'shipped', 'a', '', '', 'applied', '', '', 1, '', 1, 1, 0, null, null`,
  );
  bench.op('a');
  expect(kinds(await bench.run())).toEqual(['a applied']);
  expect(
    bench.store.db.prepare("select type from operation where id = 'a' order by type").pluck().all(),
  ).toEqual(['operator', 'shipped']);
});

test('B14 — new makes a name from date, time and purpose, overwrites no file, and its template runs', async () => {
  const bench = new OpsBench();
  const atMs = Date.parse('2026-11-21T07:33:00Z');
  const path = newOperation(bench.folder, '  Fix the Größe of_rows! ', atMs);
  expect(path).toBe(join(bench.folder, '2026-11-21-0733-fix-the-gro-e-of-rows.mts'));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(() => newOperation(bench.folder, 'fix the größe of rows', atMs)).toThrow(/EEXIST/);
  expect(kinds(await bench.run())).toEqual(['2026-11-21-0733-fix-the-gro-e-of-rows applied']);
});

test.for(['', '   ', '---', '???', 'x'.repeat(61)])(
  'B14 — %j is no purpose, and no file is made',
  (purpose) => {
    const folder = join(folderOfTest().path, 'ops');
    expect(() => slugOf(purpose)).toThrow(/cannot be a name/);
    expect(() => newOperation(folder, purpose, 0)).toThrow(/cannot be a name/);
    expect(existsSync(folder)).toBe(false);
  },
);
