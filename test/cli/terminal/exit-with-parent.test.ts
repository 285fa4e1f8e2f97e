/** Children of `up` do not outlive it, whatever they are doing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';

const entry = fileURLToPath(new URL('../../kit/processes/parent-of-child.ts', import.meta.url));
const started: number[] = [];

afterEach(() => {
  for (const pid of started.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
});

/** A process that nobody took the exit of yet is over too. */
function isRunning(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : 'none) Z';
  return !/\) Z/.test(stat);
}

async function childOf(mode: 'spin' | 'idle'): Promise<{ parent: ChildProcess; pid: number }> {
  const parent = spawn(process.execPath, [entry, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  started.push(pid);
  return { parent, pid };
}

test.each(['idle', 'spin'] as const)(
  'a child that is %s is gone soon after its parent was killed (I14)',
  async (mode) => {
    const { parent, pid } = await childOf(mode);
    expect(isRunning(pid)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await until('the child is gone', () => !isRunning(pid), { deadlineMs: 5_000 });
  },
);
