/**
 * `bus.json` in the data directory: the bus and hub of a running `up`, so that other verbs on the
 * directory find them.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject } from '../../contracts/body/json-value.ts';
import { isSubjectToken } from '../../contracts/subjects.ts';
import { commandOf } from '../../runtime/bus/nats-server.ts';

export type BusFile = {
  Url: string;
  /** Missing in files written by earlier versions. */
  Hub?: string;
  /** Process id of the `up` that wrote it. */
  Pid: number;
};

const pathOf = (data: string) => join(data, 'bus.json');

/** What the last `up` wrote, whether it still runs or not; null when missing or unreadable. */
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
    // Half-written on a full disk, or removed meanwhile: treat it as absent.
    return null;
  }
}

/** The bus of the `up` running on this directory, or null. */
export function readBusFile(data: string): BusFile | null {
  const last = readLastBusFile(data);
  return last && isUpRunning(last.Pid) ? last : null;
}

/** Whether the process exists and looks like an `up`: pids are reused. */
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
