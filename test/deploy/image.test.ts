/**
 * The image without Docker: the build stage's commands really run, the final stage's files really
 * laid out, and its entry point started as a user who owns none of them.
 */
import { execFile, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { connectHub } from '../kit/processes/hub.ts';
import { TestNats } from '../kit/servers/nats.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';
import { build, environmentOf, type Stage, stagesOf } from '../kit/deploy/dockerfile.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = join(root, 'deploy', 'docker', 'Dockerfile');
const run = promisify(execFile);
const folder = tempDir('image');
const [builder, image] = stagesOf(file) as [Stage, Stage];
const last = (keyword: string) => image.steps.findLast((step) => step.keyword === keyword);
/** The user `node` of the official image. */
const uid = 1000;
const at = (path: string) => path.replace('/app/', `${folder.at('image', 'app')}/`);

beforeAll(async () => {
  chmodSync(folder.path, 0o755);
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
    npm_config_prefer_offline: 'true',
  };
  const roots = { build: folder.at('build'), '': folder.at('image') };
  await build(builder, { context: root, roots, env }, true);
  // The final stage's commands are about the base image's own files.
  await build(image, { context: root, roots, env }, false);
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

describe('the files', () => {
  test('everything COPY names passes .dockerignore, and nothing of the tests does', () => {
    const allowed = readFileSync(`${file}.dockerignore`, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const passes = (path: string) =>
      allowed.some((one) =>
        one.includes('*')
          ? new RegExp(`^${one.replaceAll('.', '\\.').replace('*', '[^/]*')}$`).test(path)
          : path === one || path.startsWith(`${one}/`),
      );
    const sources = [builder, image]
      .flatMap((stage) => stage.steps)
      .filter((step) => step.keyword === 'COPY' && step.from === null)
      .flatMap((step) => step.words.slice(0, -1));
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((path) => !passes(path))).toEqual([]);
    expect(
      ['test', 'docs', 'node_modules', 'dist', '.git', 'tidemark-data'].filter(passes),
    ).toEqual([]);
  });

  test('no sources, no build tools and no development packages in the final image', () => {
    expect(readdirSync(folder.at('image', 'app')).toSorted()).toEqual([
      'bin',
      'contracts',
      'dist',
      'dropin',
      'examples',
      'node_modules',
      'package.json',
    ]);
    const { devDependencies = {} } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    ) as { devDependencies?: Record<string, string> };
    // Type packages may be dependencies of dependencies.
    const unwanted = Object.keys(devDependencies).filter((name) => !name.startsWith('@types/'));
    expect(
      [...unwanted, 'node'].filter((name) =>
        existsSync(folder.at('image', 'app', 'node_modules', name)),
      ),
    ).toEqual([]);
    expect(last('RUN')?.text).toMatch(/rm -rf .*node_modules.*npm/);
  });

  test('not root, a volume for the data, a health check on /livez, an entry point that gets its signals', () => {
    expect(last('USER')?.words).toEqual(['node']);
    expect(last('VOLUME')?.words).toEqual([environmentOf(image)['TIDEMARK_DATA']]);
    expect(last('HEALTHCHECK')?.text).toContain('/livez');
    expect(last('ENTRYPOINT')?.words).toEqual(['node', '/app/bin/tidemark.js']);
    expect(last('CMD')?.words).toEqual(['worker']);
  });
});

/** Every file with its size and time. */
async function filesOf(path: string): Promise<string[]> {
  const { stdout } = await run('find', [path, '-type', 'f', '-printf', '%p %s %T@\n'], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.split('\n').toSorted();
}

/** As the image's user where the test may change it, which is as root. */
function asUser(words: readonly string[], env: Record<string, string>, cwd: string) {
  const isRoot = process.getuid?.() === 0;
  const plain = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', ...environmentOf(image), ...env };
  return spawn(process.execPath, words, {
    cwd,
    env: plain,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot ? { uid, gid: uid } : {}),
  });
}

test('as that user over files it may not write: it serves, is healthy, ends with 0, writes data only', async () => {
  await using nats = await TestNats.start();
  const data = folder.at('data');
  mkdirSync(data, { mode: 0o700 });
  if (process.getuid?.() === 0) chownSync(data, uid, uid);
  await run('chmod', ['-R', 'a-w', folder.at('image')]);
  const before = await filesOf(folder.at('image'));
  const port = await freePort();
  const words = [...(last('ENTRYPOINT')?.words.slice(1) ?? []), ...(last('CMD')?.words ?? [])].map(
    at,
  );
  const worker = asUser(
    words,
    { TIDEMARK_DATA: data, NATS_URL: nats.url, TIDEMARK_HTTP: `127.0.0.1:${port}` },
    data,
  );
  let said = '';
  worker.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise<string>((resolve) => {
    worker.once('close', (code, signal) => resolve(`${code ?? signal}`));
  });
  try {
    const check = JSON.parse(
      /CMD (\[.*\])/.exec(last('HEALTHCHECK')?.text ?? '')?.[1] ?? '[]',
    ) as string[];
    expect(check.slice(0, 2)).toEqual(['node', '-e']);
    const program = check[2]?.replace('8390', String(port)) ?? '';
    await until('the health check passes', () =>
      run(process.execPath, ['-e', program]).then(
        () => true,
        () => worker.exitCode !== null,
      ),
    );
    expect({ exited: worker.exitCode, said: worker.exitCode === null ? '' : said }).toEqual({
      exited: null,
      said: '',
    });
    await using hub = await connectHub(nats.url);
    expect(await hub.client.upsertWorkItem({ WorkItemHash: 'w' })).toMatchObject({ Success: true });
    worker.kill('SIGTERM');
    expect(await ended).toBe('0');
    await expect(run(process.execPath, ['-e', program])).rejects.toThrow();
  } finally {
    worker.kill('SIGKILL');
    await ended;
    await run('chmod', ['-R', 'u+w', folder.at('image')]);
  }
  expect(await filesOf(folder.at('image'))).toEqual(before);
}, 120_000);
