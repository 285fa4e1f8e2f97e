/**
 * The systemd units as systemd itself reads them: no complaint of its verifier, little exposure by
 * its own measure, and every path and option of ours is there.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { variables } from '../../cli/settings/settings.ts';
import { findServer } from '../kit/servers/database-server.ts';
import { tempDir } from '../kit/temp-dir.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const units = ['tidemark-worker.service', 'tidemark-beacon@.service'] as const;
/** systemd calls 2 and less "OK"; a service without any of this has 9.6. */
const exposureMax = 2;
const installed = '/opt/tidemark/node_modules';
let analyze = '';

beforeAll(() => {
  analyze = findServer({
    binary: 'systemd-analyze',
    folders: () => ['/usr/bin', '/bin'],
    package: 'systemd',
  });
}, 120_000);

const textOf = (unit: string) => readFileSync(join(root, 'deploy', 'systemd', unit), 'utf8');

/** What `systemd-analyze` says of a unit, with the installed paths pointing here. */
async function analysed(
  words: readonly string[],
  unit: string,
  text: string,
): Promise<{ code: number; said: string }> {
  using folder = tempDir('units');
  const path = folder.at(unit);
  writeFileSync(
    path,
    text
      .replaceAll(`${installed}/node/bin/node`, process.execPath)
      .replaceAll(`${installed}/tidemark/`, root),
  );
  return await run(analyze, [...words, path], {
    env: { ...process.env, LC_ALL: 'C', SYSTEMD_COLORS: '0', SYSTEMD_UNIT_PATH: `${folder.path}:` },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      said: error.stdout + error.stderr,
    }),
  );
}

describe.for(units)('%s', (unit) => {
  test('the verifier has nothing to say, and would have', async () => {
    expect(await analysed(['verify', '--man=no'], unit, textOf(unit))).toEqual({
      code: 0,
      said: '',
    });
    const wrong = await analysed(
      ['verify', '--man=no'],
      unit,
      textOf(unit).replace('WatchdogSec=', 'WatchdogSek='),
    );
    expect(wrong.said).toContain('WatchdogSek');
  });

  test(`exposure is at most ${exposureMax}`, async () => {
    const { said } = await analysed(
      ['security', '--offline=true', '--no-pager'],
      unit,
      textOf(unit),
    );
    expect(Number(/exposure level for \S+ ([\d.]+)/.exec(said)?.[1])).toBeLessThanOrEqual(
      exposureMax,
    );
  });

  test('what is started is in the package, and its verb has the options named', async () => {
    const [, script = '', verb = '', ...rest] = (
      /^ExecStart=(.*)$/m.exec(textOf(unit))?.[1] ?? ''
    ).split(' ');
    expect(existsSync(script.replace(`${installed}/tidemark/`, root))).toBe(true);
    const { stdout } = await run(process.execPath, [
      join(root, 'bin', 'tidemark.js'),
      verb,
      '--help',
    ]);
    for (const option of rest.filter((word) => word.startsWith('--')))
      expect(stdout).toContain(`${option} `);
  });

  test('ready is notified, the watchdog is on, wrong settings do not restart, secrets are credentials', () => {
    const text = textOf(unit);
    for (const line of [
      'Type=notify',
      'NotifyAccess=all',
      'WatchdogSec=60',
      'Restart=always',
      // Another databeacon of its name may be gone in a moment; another owner of a hub stays.
      `RestartPreventExitStatus=${unit.includes('worker') ? '2 4 5' : '2 5'}`,
      'StartLimitIntervalSec=0',
      'TimeoutStartSec=infinity',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toMatch(/^LoadCredential=/m);
    expect(text).not.toMatch(/^Environment=.*(?:TOKEN|PASSWORD)=(?!%d)\S/m);
  });
});

test('the example of settings names variables the worker reads', () => {
  const names = [
    ...readFileSync(join(root, 'deploy', 'systemd', 'worker.env.example'), 'utf8').matchAll(
      /^([A-Z_]+)=/gm,
    ),
  ].map((match) => match[1]);
  expect(names.length).toBeGreaterThan(2);
  expect(
    names.filter((name) => !Object.values<string | undefined>(variables).includes(name)),
  ).toEqual([]);
});
