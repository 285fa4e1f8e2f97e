/**
 * What must hold after each step of a hostile campaign, and at times when everything is delivered:
 * nothing died, nothing grew, nobody wrote without the right, no secret was said, the sums agree.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { until } from '../until.ts';
import { compareWithFold, readRows } from '../rows/compare.ts';
import { foldCalls, type FoldRow, type FoldTableName } from '../rows/fold.ts';
import { type HonestHub, honestMark } from './honest-hub.ts';
import { peakOf, withChildren } from './memory.ts';
import { type HostileRig, secretMark } from './rig.ts';

const units = join(import.meta.dirname, '../../../deploy/systemd');
const tables: readonly FoldTableName[] = [
  'UVQueueWorkItem',
  'UVQueueWorkItemEvent',
  'UVQueueWorkItemAttempt',
  'UVManifest',
];
const drainedMs = 20_000;

/** What the units set, in bytes. */
function memoryMax(unit: string): number {
  const text = readFileSync(join(units, unit), 'utf8');
  return Number(/^MemoryMax=(\d+)G$/m.exec(text)?.[1]) * 2 ** 30;
}

export class Watch {
  readonly #rig: HostileRig;
  readonly #hub: HonestHub;
  readonly #memoryMax: number;
  readonly #pids: Readonly<Record<string, number>>;
  readonly #before: string;
  /** What was said so far by each process, so that only news is looked at. */
  readonly #heardChars = new Map<string, number>();
  #leaks: string[] = [];
  peakBytes = 0;

  constructor(rig: HostileRig, hub: HonestHub) {
    this.#rig = rig;
    this.#hub = hub;
    this.#memoryMax = Math.min(
      memoryMax('tidemark-worker.service'),
      memoryMax('tidemark-beacon@.service'),
    );
    this.#pids = Object.fromEntries(
      Object.entries(rig.processes).map(([name, one]) => [name, one.pid]),
    );
    this.#before = this.#othersRows();
  }

  /** An answer, an event or anything else that reached somebody who should know no secret. */
  heard(where: string, text: string): void {
    const at = text.indexOf(secretMark);
    if (at >= 0) this.#leaks.push(`${where}: ${text.slice(Math.max(0, at - 80), at + 60)}`);
  }

  /** After each step. @returns what is wrong */
  soon(): string[] {
    return [...this.#dead(), ...this.#grown(), ...this.#leaked(), ...this.#foreignRows()];
  }

  /** When all that was accepted is delivered. @returns what is wrong */
  async settled(): Promise<string[]> {
    const complaints = this.soon();
    const status = await until(
      'both lanes are drained',
      async () => {
        const now = await this.#rig.status();
        const isDone = now.Queue.Pending === 0 && now.Manifest.Pending === 0;
        return isDone && now.State === 'bootstrapped' ? now : null;
      },
      { deadlineMs: drainedMs },
    ).catch((error: unknown) => (error as Error).message);
    if (typeof status === 'string') return [...complaints, status];
    for (const [lane, balance] of Object.entries(status.Balance))
      if (balance.Difference !== 0) complaints.push(`balance of ${lane}: ${balance.Difference}`);
    for (const lane of [status.Queue, status.Manifest])
      if (lane.AssignedBeaconID !== 'db-1' || lane.IDBeaconConnection !== 1)
        complaints.push(`assigned to ${lane.AssignedBeaconID} ${lane.IDBeaconConnection}`);
    return [...complaints, ...this.#foldDifferences(), ...(await this.#operatorLockedOut())];
  }

  /** At the end: nothing planted lies in what the worker keeps for people or for itself. */
  filesWithSecrets(): string[] {
    const folder = this.#rig.at('worker');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(folder, name)).isFile())
      .filter((name) => readFileSync(join(folder, name)).includes(secretMark))
      .map((name) => `worker/${name} holds a secret`);
  }

  get isOneDead(): boolean {
    return this.#dead().length > 0;
  }

  #dead(): string[] {
    return Object.entries(this.#rig.processes).flatMap(([name, one]) =>
      one.isRunning &&
      one.pid === this.#pids[name] &&
      !/"level":60|heap out of memory/.test(one.tail(3))
        ? []
        : [`${name} died; its last lines:\n${one.tail(6)}`],
    );
  }

  #grown(): string[] {
    const all = Object.entries(this.#pids).flatMap(([name, pid]) => withChildren(name, pid));
    return all.flatMap(({ name, pid }) => {
      const bytes = peakOf(pid);
      this.peakBytes = Math.max(this.peakBytes, bytes);
      return bytes < this.#memoryMax ? [] : [`${name} took ${Math.round(bytes / 2 ** 20)} MiB`];
    });
  }

  #leaked(): string[] {
    for (const [name, one] of Object.entries(this.#rig.processes)) {
      const said = one.stdout + one.stderr;
      this.heard(
        `log of ${name}`,
        said.slice(Math.max(0, (this.#heardChars.get(name) ?? 0) - 100)),
      );
      this.#heardChars.set(name, said.length >= 200_000 ? 0 : said.length);
    }
    return this.#leaks.splice(0).map((leak) => `a secret was said: ${leak}`);
  }

  /** Rows of hubs that nobody here may write for, and tables that are somebody else's. */
  #foreignRows(): string[] {
    const complaints: string[] = [];
    using db = opened(this.#rig.at('backend-1.sqlite'));
    for (const table of [...tables, 'UVBridgeMark']) {
      const rows = db
        .prepare(
          `select HubID, count(*) as n from "${table}" where HubID not in ('hub1', 'hub2') group by 1`,
        )
        .all() as { HubID: string; n: number }[];
      for (const { HubID, n } of rows) complaints.push(`${n} rows of ${HubID} in ${table}`);
    }
    const marks = db.prepare("select Lane, Seq from UVBridgeMark where HubID = 'hub1'").all() as {
      Lane: string;
      Seq: number;
    }[];
    // A new journal counts from the wall clock in microseconds, and nobody writes from the future.
    for (const { Lane, Seq } of marks)
      if (Seq > Date.now() * 1_000) complaints.push(`the mark of hub1 ${Lane} is ${Seq}`);
    const others = this.#othersRows();
    if (others !== this.#before) complaints.push(`others' tables: ${this.#before} -> ${others}`);
    return complaints;
  }

  /** Of the table beside ours, and of the databases no stranger may write to. */
  #othersRows(): string {
    const said: string[] = [];
    for (const name of ['backend-1.sqlite', 'backend-2.sqlite', 'up/backend.sqlite']) {
      const path = this.#rig.at(...name.split('/'));
      if (!existsSync(path)) continue;
      using db = opened(path);
      const names = db
        .prepare(
          "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by 1",
        )
        .pluck()
        .all() as string[];
      for (const table of names) {
        const isOurs = name === 'backend-1.sqlite' && table.startsWith('UV');
        if (!isOurs)
          said.push(
            `${name} ${table} ${JSON.stringify(db.prepare(`select * from "${table}"`).all()).length}`,
          );
      }
    }
    return said.join('; ');
  }

  /** The honest hub's rows against the fold of its answered writes. */
  #foldDifferences(): string[] {
    const isHonest = (row: FoldRow) =>
      String(row['WorkItemHash'] ?? row['Hash']).startsWith(honestMark);
    const rows = new Map(
      tables.map((table) => [
        table,
        readRows(this.#rig.at('backend-1.sqlite'), table).filter(isHonest),
      ]),
    );
    const found = compareWithFold(rows, foldCalls(this.#hub.accepted, 'hub1'), 'hub1');
    return found.differences === 0
      ? []
      : [
          `${found.differences} differences from what was answered: ${JSON.stringify(found.first[0])}`,
        ];
  }

  async #operatorLockedOut(): Promise<string[]> {
    const [alive, changed] = [
      await this.#rig.operatorCall('GET', '/livez'),
      await this.#rig.operatorCall('POST', '/api/resume'),
    ];
    return [alive, changed].flatMap(({ status, text }) =>
      status === 200 ? [] : [`the operator is answered ${status}: ${text.slice(0, 200)}`],
    );
  }
}

/** To read while others write. */
function opened(path: string): Database.Database & Disposable {
  const db = new Database(path, { readonly: true, fileMustExist: true });
  db.pragma('busy_timeout = 5000');
  return Object.assign(db, { [Symbol.dispose]: () => void db.close() });
}
