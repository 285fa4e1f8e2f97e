/**
 * What a hub's container has that the bridges use, in our own words: settings, a log, runs that are
 * rebuilt from their manifest files, and open items that are restored from a journal of its own.
 */
/* oxlint-disable no-underscore-dangle -- the hub's own names, by which the bridges find them */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export type Run = { Hash: string; OperationHash: string; Status: string } & Record<string, unknown>;
export type Item = { WorkItemHash: string; Status: string } & Record<string, unknown>;

/** Items in memory, each change in a file of its own, as a hub restores them. */
export class OpenItems {
  readonly _WorkQueue: Record<string, Item> = {};
  readonly #path: string;

  constructor(folder: string) {
    this.#path = join(folder, 'items.jsonl');
    if (!existsSync(this.#path)) return;
    for (const line of linesOf(this.#path)) {
      const item = JSON.parse(line) as Item;
      if (item.Status === 'Complete') delete this._WorkQueue[item.WorkItemHash];
      else this._WorkQueue[item.WorkItemHash] = item;
    }
  }

  put(item: Item): void {
    this._WorkQueue[item.WorkItemHash] = item;
    appendFileSync(this.#path, `${JSON.stringify(item)}\n`);
    if (item.Status === 'Complete') delete this._WorkQueue[item.WorkItemHash];
  }
}

/** Runs of this hub; those of before are what their files say, and what was running has failed. */
export class Runs {
  readonly runs: Record<string, Run> = {};
  readonly #staging: string;

  constructor(folder: string) {
    this.#staging = join(folder, 'staging');
    mkdirSync(this.#staging, { recursive: true });
    for (const name of readdirSync(this.#staging)) {
      const folderOfRun = join(this.#staging, name);
      for (const file of readdirSync(folderOfRun).filter((one) => one.startsWith('Manifest_'))) {
        const run = JSON.parse(readFileSync(join(folderOfRun, file), 'utf8')) as Run;
        const hasStopped = run.Status === 'Running';
        this.runs[run.Hash] = { ...run, ...(hasStopped ? { Status: 'Error' } : {}) };
      }
    }
  }

  /** Begins a run: its file says Running until a bridge writes what became of it. */
  begin(run: Run): Run {
    const StagingPath = join(this.#staging, run.Hash);
    mkdirSync(StagingPath, { recursive: true });
    const begun = { ...run, StagingPath, Log: [] };
    this._writeManifest(begun, StagingPath);
    return begun;
  }

  _writeManifest(run: Run & { Log?: unknown[] }, stagingPath: string): void {
    writeFileSync(join(stagingPath, `Manifest_${run.OperationHash}.json`), JSON.stringify(run));
    run.Log?.push('written');
  }
}

export function linesOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  // A line that a dying process did not finish is none.
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '');
}
