/** The package as others get it: built, packed, installed into an empty folder, and run from there. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openStore } from '../../worker/state/open-store.ts';
import { environment, tempFolder } from './fixture.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

type Ran = { code: number; stdout: string; stderr: string };

test('packed and installed, it runs from the build: help, demo trace, exit codes', async () => {
  using folder = tempFolder();
  const env = environment({ PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`, npm_config_update_notifier: 'false' });
  await run('npm', ['pack', '--silent', '--pack-destination', folder.path], { cwd: root, env, maxBuffer: 16 * 1024 * 1024 });
  const tarball = readdirSync(folder.path).find((name) => name.endsWith('.tgz')) as string;
  await run('npm', ['init', '-y'], { cwd: folder.path, env });
  await run('npm', ['install', tarball, '--omit=optional', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder.path, env });
  const installed = join(folder.path, 'node_modules', 'tidemark');
  expect(readdirSync(installed)).toEqual(expect.arrayContaining(['bin', 'dist', 'examples']));
  expect(readdirSync(installed)).not.toContain('worker');
  expect(readdirSync(join(installed, 'dist', 'console'))).toEqual(readdirSync(join(root, 'console')).filter((name) => name !== 'tsconfig.json'));

  const tidemark = (...args: string[]): Promise<Ran> => run(process.execPath, [join(folder.path, 'node_modules', '.bin', 'tidemark'), ...args], { cwd: folder.path, env })
    .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), (error: Ran) => error);
  expect((await tidemark('--help')).stdout).toContain('Usage: tidemark');
  expect((await tidemark('--version')).stdout).toMatch(/^\d+\.\d+\.\d+/);
  expect((await tidemark('status', '--nats', 'nats://127.0.0.1:1')).code).toBe(4);
  // Shipped operations, and one of an operator's in TypeScript, on a store at rest.
  const data = join(folder.path, 'tidemark-data');
  openStore(data).close();
  mkdirSync(join(data, 'ops'));
  writeFileSync(join(data, 'ops', '1-a.mts'), "export const description: string = 'a'; export function run(): string { return 'done'; }");
  expect(await tidemark('ops', 'run', '--nats', 'nats://127.0.0.1:1')).toMatchObject({ code: 0, stdout: expect.stringMatching(/1-a +applied .*done/) as string });
  expect(await tidemark('ops', 'run', 'compact', '--nats', 'nats://127.0.0.1:1')).toMatchObject({ code: 0, stdout: expect.stringMatching(/compact +applied/) as string });
  const demo = await tidemark('demo', '--json');
  expect({ code: demo.code, stderr: demo.stderr.slice(-2_000) }).toMatchObject({ code: 0 });
  expect((JSON.parse(demo.stdout) as { isOk: boolean }[]).every((proof) => proof.isOk)).toBe(true);
}, 240_000);
