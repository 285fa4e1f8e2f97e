/**
 * What is missing and Debian has: installed with apt-get, one line for people, the details in a
 * file.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Hears one line for people about something slow or unusual. */
export type Say = (line: string) => void;

/** Only root may install. */
export function canInstall(): boolean {
  return existsSync('/etc/debian_version') && process.getuid?.() === 0;
}

/** Installs a package; whether it brought what was wanted is for the caller to look at. */
export function installPackage(name: string, say: Say): void {
  const log = join(mkdtempSync(join(tmpdir(), 'tidemark-install-')), `${name}.log`);
  say(`${name} is not installed; installing it with apt-get, details in ${log}`);
  withoutServices(() => {
    for (const args of [
      ['update', '-q'],
      ['install', '-q', '-y', '--no-install-recommends', name],
    ])
      aptGet(args, log, say);
  });
}

function aptGet(args: readonly string[], log: string, say: Say): void {
  const out = openSync(log, 'a');
  const from = fstatSync(out).size;
  try {
    const { status, error } = spawnSync('apt-get', args, {
      stdio: ['ignore', out, out],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (status !== 0)
      say(
        `apt-get ${args[0]} ended with ${error?.message ?? status}${errorsIn(readFileSync(log).subarray(from))}`,
      );
  } finally {
    closeSync(out);
  }
}

/** What apt-get calls an error, on lines of their own. */
function errorsIn(said: Buffer): string {
  const errors = said.toString('utf8').match(/^E: .*$/gm) ?? [];
  return errors.map((line) => `\n  ${line}`).join('');
}

/** A package may start a system service of its own; a policy of 101 keeps it from that. */
function withoutServices(install: () => void): void {
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = canInstall() && !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}
