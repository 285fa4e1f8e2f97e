/** A missing package is installed with one line for people; details in a file, errors shown. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { installPackage } from '../../runtime/debian-package.ts';
import { tempDir } from '../kit/temp-dir.ts';

/** Installs with an apt-get of ours. @returns what was said, and what is in the file */
function install(script: string): { said: string[]; details: string } {
  const folder = tempDir('apt');
  writeFileSync(folder.at('apt-get'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder.path}:${process.env['PATH']}`);
  const said: string[] = [];
  installPackage('some-package', (line) => void said.push(line));
  const log = /details in (\S+)$/.exec(said[0] ?? '')?.[1] ?? '';
  onTestFinished(() => {
    vi.unstubAllEnvs();
    folder[Symbol.dispose]();
    rmSync(dirname(log), { recursive: true, force: true });
  });
  return { said, details: readFileSync(log, 'utf8') };
}

test('one line is said, and all that apt-get says is in the file that it names', () => {
  const policy = '/usr/sbin/policy-rc.d';
  const hadPolicy = existsSync(policy);
  const { said, details } = install(
    'for i in 1 2 3 4 5 6 7 8 9; do echo "$1 $i"; done; echo more >&2',
  );
  expect(said).toEqual([
    expect.stringMatching(
      /^some-package is not installed; installing it with apt-get, details in \//,
    ),
  ]);
  expect(details).toContain('update 1');
  expect(details).toContain('install 9');
  expect(details.match(/more/g)).toHaveLength(2);
  expect(existsSync(policy)).toBe(hadPolicy);
});

test('what apt-get calls an error is shown', () => {
  const { said } = install(
    'echo reading; [ "$1" = update ] && exit 0; echo "E: Unable to locate package $5" >&2; exit 100',
  );
  expect(said.slice(1)).toEqual([
    'apt-get install ended with 100\n  E: Unable to locate package some-package',
  ]);
});
