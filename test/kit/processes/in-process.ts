/**
 * Runs a command line in this process and keeps what it said: a child for each of a hundred would
 * take minutes.
 */
import { vi } from 'vitest';
import { runCommandLine } from '../../../cli/program.ts';
import type { Ran } from './cli-fixture.ts';

/** With the given environment alone, beside the system's own variables. */
export async function runHere(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const said = { stdout: '', stderr: '' };
  const keep = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    });
  const spies = [keep('stdout'), keep('stderr')];
  for (const name of Object.keys(process.env))
    if (/^(?:NATS|TIDEMARK)_/.test(name)) vi.stubEnv(name, '');
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  try {
    return { code: await runCommandLine(args), ...said };
  } finally {
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}
