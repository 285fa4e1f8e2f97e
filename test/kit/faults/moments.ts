/**
 * What a worker is doing when its files are hurt; each brings a rig there and returns at the moment
 * itself.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import type { ManualClock } from '../manual-clock.ts';
import { root } from '../source.ts';
import { until } from '../until.ts';
import type { Rig } from './rig.ts';

export type Moment = {
  name: string;
  /** No worker serves yet: what a start mends before anybody can see it is named nowhere. */
  isStart?: boolean;
  arrive(rig: Rig, random: ManualClock): Promise<void>;
};

const settleMs = 40_000;
/** A start takes some hundred milliseconds from its first write on. */
const startSpreadMs = 250;

/**
 * A worker that has delivered some writes and has a backup of that time; more were answered after
 * it.
 */
async function begin(rig: Rig): Promise<void> {
  rig.startWorkers();
  await until('a worker answers', () => rig.status(), { deadlineMs: settleMs });
  await rig.control('assign', { BeaconID: 'db-1', IDBeaconConnection: 1 });
  await rig.writers.write(40);
  await rig.drained();
  rig.makeBackup();
  await rig.writers.write(20);
}

/** The databeacon goes away, and answers pile up in the journal alone. */
async function pileUp(rig: Rig, writes: number): Promise<void> {
  await rig.beacon.kill();
  await rig.writers.write(writes, 64);
}

async function idle(rig: Rig): Promise<void> {
  await begin(rig);
  await pileUp(rig, 40);
  // The quiet in which the log is folded in.
  await new Promise((resolve) => {
    setTimeout(resolve, 1_500);
  });
}

async function midBatch(rig: Rig, random: ManualClock): Promise<void> {
  await begin(rig);
  if (random.random() < 0.5) await pileUp(rig, 20);
  rig.writers.start();
  const before = rig.writers.answered.length;
  await until(
    'writes are answered',
    () => rig.writers.answered.length > before + 30 + random.random() * 200,
    { deadlineMs: settleMs, everyMs: 1 },
  );
}

async function replaying(rig: Rig): Promise<void> {
  await begin(rig);
  await pileUp(rig, 1_500);
  const { Queue } = await rig.status();
  rig.beacon.restart();
  await until(
    'the backlog shrinks',
    async () => (await rig.status()).Queue.Pending < Queue.Pending,
    { deadlineMs: settleMs, everyMs: 1 },
  );
}

async function midOperation(rig: Rig): Promise<void> {
  const id = '2026-01-01-long';
  await begin(rig);
  await pileUp(rig, 30);
  writeFileSync(
    rig.at('ops', `${id}.ts`),
    `export const description = 'many small steps';
    export function step(context: any, cursor: string | null) {
      const at = Number(cursor ?? 0) + 1;
      context.db.prepare("insert into meta values (?, '')").run('${id} ' + at);
      for (const end = performance.now() + 5; performance.now() < end;);
      return { cursor: at >= 300 ? null : String(at), note: 'step ' + at };
    }`,
  );
  await rig.control('ops', { Verb: 'run' });
  await until('the operation is in its middle', () => stepsDone(rig, id) > 10, {
    deadlineMs: settleMs,
    everyMs: 5,
  });
}

function stepsDone(rig: Rig, id: string): number {
  const db = new Database(rig.db, { readonly: true, timeout: 2_000 });
  try {
    return Number(db.prepare('select count(*) from meta where name like ?').pluck().get(`${id}%`));
  } finally {
    db.close();
  }
}

/** Lets workers start, and returns somewhere between their first write and being up. */
async function midStart(rig: Rig, random: ManualClock): Promise<void> {
  const before = rig.layer.recordedBytes;
  rig.startWorkers();
  await until(
    'the start writes to the store',
    () =>
      rig.layer
        .recorded()
        .some(
          ({ kind, path, end }) => kind === 'write' && end > before && path.startsWith('state/'),
        ),
    { deadlineMs: settleMs, everyMs: 1 },
  );
  await new Promise((resolve) => {
    setTimeout(resolve, random.random() * startSpreadMs);
  });
}

/**
 * A store of the first release is brought to the present schema, beside the file for people that
 * release left; what it had not delivered was answered by it.
 */
async function midMigration(rig: Rig, random: ManualClock): Promise<void> {
  writeFileSync(rig.db, gunzipSync(readFileSync(join(root, 'test', 'golden', 'state-v1.db.gz'))), {
    mode: 0o600,
  });
  copyFileSync(rig.db, rig.at('backup.db'));
  const db = new Database(rig.at('backup.db'), { readonly: true });
  const store = db.prepare<[], string>("select value from meta where name = 'store'").pluck().get();
  const mark = db.prepare<[], number>('select max(seq) from mark').pluck().get() ?? 0;
  const rows = db
    .prepare<[number], { seq: number; guid: Buffer; action: string; key: string }>(
      'select seq, guid, action, key from entry where seq > ?',
    )
    .all(mark);
  db.close();
  const view = (Seq: number, Pending: number) => ({
    'db-1': { 1: { Seq, EventGUID: null, RecordedAt: null, AppliedAt: null, Pending } },
  });
  writeFileSync(
    rig.at('worker', 'persistence-bridge-hwm.json'),
    JSON.stringify({
      Version: 2,
      Store: store,
      WrittenAt: new Date().toISOString(),
      Queue: view(mark, rows.length),
      Manifest: view(0, 0),
    }),
  );
  for (const { seq, guid, action, key } of rows) {
    const place =
      action === 'QP_AppendEvent'
        ? ({ table: 'UVQueueWorkItemEvent', column: 'EventGUID', value: textOf(guid) } as const)
        : ({ table: 'UVQueueWorkItem', column: 'WorkItemHash', value: key } as const);
    rig.writers.answered.push({ guid: textOf(guid), seq, ...place });
  }
  await midStart(rig, random);
}

function textOf(guid: Buffer): string {
  const hex = guid.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/**
 * A worker with undelivered writes was killed; the incumbent's files lie in its folder when it
 * starts again.
 */
async function midImport(rig: Rig, random: ManualClock): Promise<void> {
  await begin(rig);
  await pileUp(rig, 40);
  await Promise.all(rig.keepers.map((keeper) => keeper.kill()));
  const marks = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, n) => [
      `beacon-${n}`,
      new Date(1_700_000_000_000 + n).toISOString(),
    ]),
  );
  writeFileSync(
    rig.at('worker', 'persistence-bridge-hwm.json'),
    JSON.stringify({ Queue: marks, Manifest: marks }),
  );
  writeFileSync(
    rig.at('worker', 'persistence-assignment.json'),
    JSON.stringify({
      Queue: { BeaconID: 'db-1', IDBeaconConnection: 1 },
      Manifest: { BeaconID: '', IDBeaconConnection: 'x' },
    }),
  );
  await midStart(rig, random);
}

export const moments: readonly Moment[] = [
  { name: 'idle', arrive: idle },
  { name: 'mid-batch', arrive: midBatch },
  { name: 'mid-migration', isStart: true, arrive: midMigration },
  { name: 'mid-import', isStart: true, arrive: midImport },
  { name: 'mid-operation', arrive: midOperation },
  { name: 'replaying', arrive: replaying },
];
