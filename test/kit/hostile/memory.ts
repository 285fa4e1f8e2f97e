/** How much memory processes had at most, as Linux tells it. */
import { readFileSync, writeFileSync } from 'node:fs';

/** A process and those it started. */
export function withChildren(name: string, pid: number): { name: string; pid: number }[] {
  const children = linesOf(`/proc/${pid}/task/${pid}/children`).flatMap((line) =>
    line.split(' ').filter((one) => one !== ''),
  );
  const below = children.flatMap((child) => withChildren(`${name}'s ${child}`, Number(child)));
  return [{ name, pid }, ...below];
}

/** The most memory a process had, in bytes; 0 when it is gone. */
export function peakOf(pid: number): number {
  const line = linesOf(`/proc/${pid}/status`).find((one) => one.startsWith('VmHWM:'));
  return Number(/(\d+) kB/.exec(line ?? '')?.[1] ?? 0) * 1_024;
}

/** Counts the peak anew from here on. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Where it may not be written, the peak is that of the whole life.
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}
