/**
 * What an operator has after the installation: every file the documents name is in the package, and
 * the documented steps work on a machine where nothing was prepared.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { findServer } from '../kit/servers/database-server.ts';
import { tempDir } from '../kit/temp-dir.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const installed = '/opt/tidemark/node_modules/tidemark/';
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

describe('the package', () => {
  let packed: string[] = [];

  beforeAll(async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      maxBuffer: 64 * 1024 * 1024,
    });
    // One entry a package: a list up to npm 11, by name behind it.
    const [entry] = Object.values(
      JSON.parse(stdout) as Record<string, { files: { path: string }[] }>,
    );
    packed = entry?.files.map(({ path }) => path) ?? [];
  }, 60_000);

  /** A file, a folder of files, or names with `*`. */
  const has = (path: string) =>
    packed.some((one) =>
      path.includes('*')
        ? new RegExp(`^${path.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`).test(one)
        : one === path || one.startsWith(`${path.replace(/\/$/, '')}/`),
    );

  test('every path under deploy/, examples/, docs/ and the contracts that a document names is in it', () => {
    const documents = packed.filter(
      (path) =>
        /^(?:docs\/.*\.md|deploy\/.*|examples\/.*\.md|README\.md)$/.test(path) &&
        !path.includes('/.'),
    );
    const named = documents.flatMap((path) => {
      const text = read(path).replaceAll(installed, '');
      return [
        ...text.matchAll(
          /(?<![\w/.-])(?:\.\.\/)*((?:deploy|examples|docs|contracts)\/[\w@*./-]*[\w*/])/g,
        ),
      ].flatMap(([, name = '']) =>
        name.startsWith('contracts/') && !name.endsWith('.json') ? [] : [[path, name]],
      );
    });
    expect(named.length).toBeGreaterThan(40);
    expect(named.map(([, name]) => name)).toEqual(
      expect.arrayContaining([
        'deploy/systemd/*.service',
        'deploy/prometheus/alerts.yml',
        'deploy/grafana/tidemark.json',
        'deploy/docker/compose.yaml',
        'contracts/contract.schema.json',
      ]),
    );
    expect(
      named.filter(([, name = '']) => !has(name)).map(([path, name]) => `${path}: ${name}`),
    ).toEqual([]);
  });

  test('everything under deploy/ is in it, and what it starts and exports that is not built', () => {
    const deployed = readdirSync(join(root, 'deploy'), { recursive: true, withFileTypes: true })
      .filter(
        (one) => one.isFile() && !one.name.startsWith('.') && !one.parentPath.endsWith('secrets'),
      )
      .map((one) => join(one.parentPath, one.name).slice(root.length));
    expect(deployed.filter((path) => !has(path))).toEqual([]);
    const { bin, exports } = JSON.parse(read('package.json')) as {
      bin: Record<string, string>;
      exports: Record<string, string | Record<string, string>>;
    };
    // What is built is not there before the first build.
    const wanted = [
      ...Object.values(bin),
      ...Object.values(exports).flatMap((one) =>
        typeof one === 'string' ? [one] : Object.values(one),
      ),
    ]
      .map((path) => path.replace(/^\.\//, ''))
      .filter((path) => !path.startsWith('dist/'));
    expect(wanted.length).toBeGreaterThan(3);
    expect(wanted.filter((path) => !has(path))).toEqual([]);
  });
});

describe('the steps for systemd in UPGRADE-BACKUP.md', () => {
  const block =
    /\*\*systemd\*\*[^\n]*\n\n((?: {4}.*\n)+)/.exec(read('docs', 'UPGRADE-BACKUP.md'))?.[1] ?? '';
  const steps = block
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

  test('where only systemd is: units, settings, secrets and user are in place, the secrets private', async () => {
    findServer({
      binary: 'systemd-sysusers',
      folders: () => ['/usr/bin', '/bin'],
      package: 'systemd',
    });
    using folder = tempDir('installed');
    mkdirSync(folder.at('etc', 'systemd', 'system'), { recursive: true });
    const files = steps.filter((line) => /^(?:cp|install|\(umask 077)/.test(line));
    expect(files.length).toBeGreaterThanOrEqual(6);
    const script = files
      .join('\n')
      .replaceAll(installed, root)
      .replaceAll('/etc/', `${folder.at('etc')}/`)
      .replace(/&& systemd-sysusers$/m, `&& systemd-sysusers --root=${folder.path} --cat-config`);
    const { stdout } = await run('sh', ['-euc', `umask 022\n${script}`]);
    expect(stdout).toMatch(/^u tidemark /m);
    for (const unit of ['tidemark-worker.service', 'tidemark-beacon@.service']) {
      const text = readFileSync(folder.at('etc', 'systemd', 'system', unit), 'utf8');
      const named = [...text.matchAll(/^LoadCredential=\w+:(\S+)$/gm)].map(([, path = '']) =>
        path.replace('%i', 'db-1'),
      );
      expect(named.length).toBe(1);
      for (const path of named)
        expect([path, statSync(join(folder.path, path)).mode & 0o777]).toEqual([path, 0o600]);
    }
    expect(statSync(folder.at('etc', 'tidemark', 'secrets')).mode & 0o777).toBe(0o700);
    expect(existsSync(folder.at('etc', 'tidemark', 'worker.env'))).toBe(true);
  });

  test("the units' user can read what is installed whatever root's umask; the command is on the path", () => {
    expect(steps[0]).toBe('(umask 022; npm install --prefix /opt/tidemark tidemark)');
    expect(steps).toContain(
      'ln -s /opt/tidemark/node_modules/.bin/tidemark /usr/local/bin/tidemark',
    );
  });
});
