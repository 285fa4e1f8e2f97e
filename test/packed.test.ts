/**
 * The package as others get it: built, packed, installed into an empty folder, and run from there.
 * The command line works from the build; the drop-in is required from plain JavaScript by this Node
 * and by the system's, with our client or the 2.x one, and its worker killed meanwhile.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../worker/state/open/open-store.ts';
import { environment } from './kit/processes/cli-fixture.ts';
import { readRows } from './kit/rows/compare.ts';
import { Stack } from './kit/processes/stack.ts';
import { tempDir } from './kit/temp-dir.ts';
import { until } from './kit/until.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const folder = tempDir('packed');
const installed = folder.at('node_modules', 'tidemark');
const env = environment({
  PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
  npm_config_update_notifier: 'false',
});
let stack: Stack;

/** Node as this suite runs it, and an older one where the machine has it. */
const nodes = [process.execPath, '/usr/bin/node'].filter((path) => existsSync(path));

/**
 * A hub: one line of it is ours. It says when it wrote half, and ends by itself when all is
 * answered and the bridges are closed.
 */
const hub = `
const { QueuePersistenceBridge, ManifestStoreBridge } = require('tidemark/bridges');
const [, , url, prefix, own] = process.argv;
const File = __dirname + '/' + prefix + '.sqlite';
const options = { NatsURL: url, File, ...(own === 'own' ? { Nats: require('nats') } : {}) };
const queue = new QueuePersistenceBridge(options);
const manifests = new ManifestStoreBridge(options);
async function main() {
  const calls = [];
  for (let n = 0; n < 200; n++) {
    const item = { WorkItemHash: prefix + n, Status: 'Pending', Settings: { n } };
    calls.push(queue.upsertWorkItem(item));
    calls.push(queue.appendEvent({ WorkItemHash: item.WorkItemHash, EventType: 'enqueued' }));
    item.Status = 'wrong';
    calls.push(queue.updateWorkItem(item.WorkItemHash, { Status: 'Complete' }));
    calls.push(manifests.upsertManifest({ Hash: prefix + n, Output: { n } }));
    if (n === 100) {
      await Promise.all(calls);
      process.stdout.write('half\\n');
      await new Promise((resolve) => process.stdin.once('data', resolve));
      process.stdin.destroy();
    }
  }
  const answers = await Promise.all(calls);
  const read = await queue.getWorkItemByHash(prefix + 7);
  const manifest = await manifests.getManifest(prefix + 7);
  const left = await queue.close() + await manifests.close();
  const good = answers.filter((answer) => answer.Success).length;
  const status = read.WorkItem && read.WorkItem.Status;
  process.stdout.write(JSON.stringify({ good, status, manifest: manifest.Manifest, left }) + '\\n');
}
main();
`;

beforeAll(async () => {
  stack = await Stack.start();
  await run('npm', ['pack', '--silent', '--pack-destination', folder.path], {
    cwd: root,
    env,
    maxBuffer: 16 * 1024 * 1024,
  });
  const tarball = readdirSync(folder.path).find((name) => name.endsWith('.tgz')) as string;
  await run('npm', ['init', '-y'], { cwd: folder.path, env });
  await run(
    'npm',
    [
      'install',
      tarball,
      'nats@2',
      '--omit=optional',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
    ],
    { cwd: folder.path, env },
  );
  writeFileSync(folder.at('hub.cjs'), hub);
}, 240_000);
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const hubs = nodes.flatMap((node, at) =>
  ['ours', 'own'].map((own) => ({ node, own, prefix: `${own}${at}-` })),
);

test.for(hubs)('$node, NATS client: $own', { timeout: 120_000 }, async ({ node, prefix, own }) => {
  const child = spawn(node, [folder.at('hub.cjs'), stack.nats.url, prefix, own], {
    cwd: folder.path,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  let complained = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained += text;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  try {
    await until('the hub wrote half', () => said.includes('half') || child.exitCode !== null, {
      deadlineMs: 60_000,
    });
    await stack.worker.kill();
    child.stdin.write('go\n');
    stack.worker.restart();
    expect({ code: await ended, complained }).toEqual({ code: 0, complained: '' });
  } finally {
    child.kill('SIGKILL');
  }
  expect(JSON.parse(said.slice(said.indexOf('{')))).toEqual({
    good: 800,
    status: 'Complete',
    manifest: { Hash: `${prefix}7`, Output: { n: 7 } },
    left: 0,
  });
  await stack.drained();
  const items = readRows(stack.backendPath, 'UVQueueWorkItem').filter((row) =>
    String(row['WorkItemHash']).startsWith(prefix),
  );
  expect([items.length, items.filter((row) => row['Status'] === 'Complete').length]).toEqual([
    200, 200,
  ]);
  expect(
    readRows(stack.backendPath, 'UVQueueWorkItemEvent').filter((row) =>
      String(row['WorkItemHash']).startsWith(prefix),
    ).length,
  ).toBe(200);
});

test('its types are there, for a hub in TypeScript', () => {
  expect(existsSync(join(installed, 'dist', 'dropin', 'bridges.d.ts'))).toBe(true);
  expect(existsSync(join(installed, 'dropin', 'bridges.cjs'))).toBe(true);
});

type Ran = { code: number; stdout: string; stderr: string };

test('the command line runs from the build: help, operations, demo trace, exit codes', async () => {
  expect(readdirSync(installed)).toEqual(expect.arrayContaining(['bin', 'dist', 'examples']));
  expect(readdirSync(installed)).not.toContain('worker');
  const filesOf = (path: string) =>
    readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted();
  expect(filesOf(join(installed, 'dist', 'console'))).toEqual(
    filesOf(join(root, 'console')).filter((name) => name !== 'tsconfig.json'),
  );

  const tidemark = (...args: string[]): Promise<Ran> =>
    run(process.execPath, [join(folder.path, 'node_modules', '.bin', 'tidemark'), ...args], {
      cwd: folder.path,
      env,
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: Ran) => error,
    );
  expect((await tidemark('--help')).stdout).toContain('Usage: tidemark');
  expect((await tidemark('--version')).stdout).toMatch(/^\d+\.\d+\.\d+/);
  expect((await tidemark('status', '--nats', 'nats://127.0.0.1:1')).code).toBe(4);
  // Shipped operations, and one of an operator's in TypeScript, on a store at rest.
  const data = join(folder.path, 'tidemark-data');
  openStore(data).close();
  mkdirSync(join(data, 'ops'));
  writeFileSync(
    join(data, 'ops', '1-a.mts'),
    "export const description: string = 'a'; export function run(): string { return 'done'; }",
  );
  expect(await tidemark('ops', 'run', '--nats', 'nats://127.0.0.1:1')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1-a +applied .*done/) as string,
  });
  expect(await tidemark('ops', 'run', 'compact', '--nats', 'nats://127.0.0.1:1')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/compact +applied/) as string,
  });
  const demo = await tidemark('demo', '--json');
  expect({ code: demo.code, stderr: demo.stderr.slice(-2_000) }).toMatchObject({ code: 0 });
  expect((JSON.parse(demo.stdout) as { isOk: boolean }[]).every((proof) => proof.isOk)).toBe(true);
}, 240_000);
