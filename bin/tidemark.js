#!/usr/bin/env node
/**
 * Starts the command line on a Node that can run it. Plain JavaScript that any Node from 18 on can
 * parse: on an older Node it runs itself again with the `node` package's binary, when that is
 * installed beside it.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestMajor = 24;
const self = fileURLToPath(import.meta.url);

if (Number(process.versions.node.split('.')[0]) >= oldestMajor) {
  // The launcher was killed: what it launched leaves too, as a killed process must not leave its
  // work running.
  if (process.env.TIDEMARK_LAUNCHED === '1' && process.connected) {
    process.once('disconnect', () => process.exit(137));
    // Listening for its end must not keep a finished command alive.
    process.channel.unref();
  }
  delete process.env.TIDEMARK_LAUNCHED;
  await import(commandLine());
} else {
  relaunch();
}

/** The sources in a checkout, the build in an installed package. */
function commandLine() {
  const root = join(dirname(self), '..');
  const source = join(root, 'cli', 'main.ts');
  return new URL(existsSync(source) ? '../cli/main.ts' : '../dist/cli/main.js', import.meta.url)
    .href;
}

function relaunch() {
  const binary = newerNode();
  if (!binary) {
    process.stderr.write(
      `tidemark: needs Node ${oldestMajor} or newer, this is ${process.versions.node}; ` +
        `get it with: npm install node@${oldestMajor}\n`,
    );
    process.exit(2);
  }
  const child = spawn(binary, [self, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, TIDEMARK_LAUNCHED: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`tidemark: cannot start ${binary}: ${error.message}\n`);
    process.exit(2);
  });
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code === null ? 1 : code);
  });
}

function newerNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json');
    const binary = join(
      dirname(manifest),
      'bin',
      process.platform === 'win32' ? 'node.exe' : 'node',
    );
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}
