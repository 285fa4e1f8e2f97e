/**
 * `bus.json` in the data directory: where the bus of a running `up` is and which hub it serves, so
 * that other verbs on the directory find them.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject } from '../../contracts/json-value.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import { commandOf } from '../../runtime/bus/nats-server.ts';

export type BusFile = {
  Url: string;
  /** Not in a file that an earlier version wrote. */
  Hub?: string;
  /** Process of the `up` that wrote it. */
  Pid: number;
};

const pathOf = (data: string) => join(data, 'bus.json');

/**
 * What the last `up` left, whether it runs or not; null when there is nothing, or nothing readable.
 */
export function readLastBusFile(data: string): BusFile | null {
  const path = pathOf(data);
  if (!existsSync(path)) return null;
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (
      !isJsonObject(content) ||
      typeof content['Url'] !== 'string' ||
      typeof content['Pid'] !== 'number'
    )
      return null;
    const { Url, Hub, Pid } = content;
    return { Url, Pid, ...(typeof Hub === 'string' && isSubjectToken(Hub) ? { Hub } : {}) };
  } catch {
    // Half-written by a full disk, or removed in between: as good as absent.
    return null;
  }
}

/** The bus of the `up` that runs on this directory, or null. */
export function readBusFile(data: string): BusFile | null {
  const last = readLastBusFile(data);
  return last && isUpRunning(last.Pid) ? last : null;
}

/** Whether the process is there and looks like an `up`: pids are used again. */
export function isUpRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const command = commandOf(pid);
  return command.length === 0 || command.includes('up') || command.includes('demo');
}

export function writeBusFile(data: string, content: BusFile): void {
  const path = pathOf(data);
  writeFileSync(`${path}.new`, `${JSON.stringify(content)}\n`);
  renameSync(`${path}.new`, path);
}

export function removeBusFile(data: string): void {
  rmSync(pathOf(data), { force: true });
}
