/**
 * What tests of operations share: a store in a folder of its own, files of operations as an
 * operator writes them, and a runner over both.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../runtime/clock.ts';
import type { OperationResult, RunReport } from '../../../worker/ops/operation.ts';
import {
  Operations,
  type OperationsOptions,
  type RunRequest,
} from '../../../worker/ops/operations.ts';
import type { Store } from '../../../worker/state/store.ts';
import { folderOfTest, hubId, openStore } from './fixture.ts';

/** A table of the operator's own, so that effects can be told from what the worker writes. */
const tableSql =
  'create table if not exists effect (id integer primary key autoincrement, what text not null) strict';

export class OpsBench {
  readonly path = folderOfTest().path;
  readonly folder = join(this.path, 'ops');
  readonly store: Store = openStore(this.path);
  readonly said: string[] = [];

  constructor() {
    this.store.db.exec(tableSql);
    mkdirSync(this.folder, { recursive: true });
  }

  /** Writes an operation's file. */
  file(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  remove(name: string): void {
    rmSync(join(this.folder, name));
  }

  /** One that leaves its name among the effects, and then does `more`. */
  op(id: string, more = '', exports = ''): void {
    this.file(
      `${id}.ts`,
      `export const description: string = 'does ${id}';\n${exports}
      export function run(context: any) {
        context.db.prepare('insert into effect (what) values (?)').run('${id}'); ${more}
      }`,
    );
  }

  /** One of several steps. */
  longOp(id: string, steps: number, inStep = ''): void {
    this.file(
      `${id}.ts`,
      `export const description = 'does ${id} in steps';
      export function step(context: any, cursor: string | null) {
        const at = Number(cursor ?? 0) + 1;
        ${inStep}
        context.db.prepare('insert into effect (what) values (?)').run('${id} ' + at);
        return { cursor: at >= ${steps} ? null : String(at) };
      }`,
    );
  }

  operations(more: Partial<OperationsOptions> = {}): Operations {
    return new Operations({
      store: this.store,
      hubId,
      folder: this.folder,
      host: 'host-1',
      version: '9.9.9',
      skips: { flags: [], allUntilMs: null },
      clock: systemClock,
      backend: null,
      ...more,
    });
  }

  request(more: Partial<RunRequest> = {}): RunRequest {
    return { by: 'cli', say: (line) => this.said.push(line), ...more };
  }

  run(more: Partial<RunRequest> = {}, parts: Partial<OperationsOptions> = {}): Promise<RunReport> {
    return this.operations(parts).runPending(this.request(more));
  }

  /** What ran, in order; effects of what was rolled back are not there. */
  effects(): string[] {
    return this.store.db.prepare('select what from effect order by id').pluck().all() as string[];
  }

  /** Ids with a marker. */
  applied(): string[] {
    return this.store.db
      .prepare("select id from operation where state = 'applied' order by id")
      .pluck()
      .all() as string[];
  }
}

/** Id and kind of result. */
export function kinds(report: RunReport): string[] {
  return report.Results.map((one: OperationResult) => `${one.ID} ${one.Result}`);
}

/** As an operator says it at the command line: this one is left out until then. */
export function leaveOutOf(
  operations: Operations,
  id: string,
  why: { reason: string; untilMs: number },
): Promise<void> {
  return operations.skip(id, { ...why, by: 'cli' });
}
