/**
 * Prometheus' own tool, which knows what rules and metrics must look like; installed where it
 * lacks, without the server.
 */
import { spawnSync } from 'node:child_process';
import { findServer } from './database-server.ts';

export type Ran = { status: number | null; text: string };

/** Runs it; `text` is all it said. @throws Error with a line on what to install */
export function promtool(
  args: readonly string[],
  options: { input?: string; folder?: string } = {},
): Ran {
  const binary = findServer({
    binary: 'promtool',
    folders: () => ['/usr/bin', '/usr/local/bin'],
    package: 'prometheus',
  });
  const { status, stdout, stderr } = spawnSync(binary, args, {
    encoding: 'utf8',
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
  });
  return { status, text: `${stdout}${stderr}` };
}
