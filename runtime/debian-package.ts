/**
 * Installs a missing package with apt-get on Debian: one line for people, details in a log file.
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

/** Receives one line about something slow or unusual, to show to the user. */
export type Say = (line: string) => void;

/** Only root may install packages. */
export function canInstall(): boolean {
  return existsSync('/etc/debian_version') && process.getuid?.() === 0;
}

/** Installs a package. The caller checks whether it provides what was needed. */
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
    const { status, error } = spawnSync(
      'env',
      ['DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args],
      {
        stdio: ['ignore', out, out],
      },
    );
    if (status !== 0)
      say(
        `apt-get ${args[0]} ended with ${error?.message ?? status}${errorsIn(readFileSync(log).subarray(from))}`,
      );
  } finally {
    closeSync(out);
  }
}

/** The lines that apt-get marks as errors. */
function errorsIn(said: Buffer): string {
  const errors = said.toString('utf8').match(/^E: .*$/gm) ?? [];
  return errors.map((line) => `\n  ${line}`).join('');
}

/** A package may start a system service when installed; a policy exiting with 101 prevents that. */
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
