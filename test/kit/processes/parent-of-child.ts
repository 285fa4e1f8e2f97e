/** Starts a child tied to it, as `up` does its own, says its pid, and waits to be killed. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const child = spawn(
  process.execPath,
  [
    fileURLToPath(new URL('spinning-child.ts', import.meta.url)),
    process.argv[2] ?? '',
    '--exit-with-parent',
  ],
  { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true },
);
child.once('message', () => process.stdout.write(`${child.pid}\n`));
