/**
 * Records a real worker under load down to each write of its files, and opens what power cuts would
 * have left of them.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { WriteReply } from '../../../contracts/reply.ts';
import { openLocal } from '../../../worker/journal/local.ts';
import type { Finding } from '../../../worker/state/guard/finding.ts';
import { identityOfFile } from '../../../worker/state/guard/identity-file.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { FaultLayer, type FileOperation } from '../fault-layer/fault-layer.ts';
import { connectHub, type TestHub } from '../processes/hub.ts';
import { ManualClock } from '../manual-clock.ts';
import { Stack } from '../processes/stack.ts';
import { tempDir } from '../temp-dir.ts';
import { guidOf } from '../rows/trace.ts';
import { until } from '../until.ts';
import { type NameRule, RecordedDisk } from './recorded-disk.ts';
import { inconsistencies } from './inconsistencies.ts';

/** A write that was answered when the record was so many bytes long. */
type Answered = { seq: number; guid: string; at: number };

export type Recording = {
  operations: FileOperation[];
  answered: Answered[];
  hubId: string;
  kills: number;
  checkpoints: number;
  difference: string | null;
};

export type RecordOptions = { seed: number; rounds: number; writesARound: number };

/** Bodies so large that the log is folded into the database several times in a recording. */
const bodyBytesMax = 12_000;
/**
 * Writers side by side: many in one commit, and one alone, whose answer follows its commit closely.
 */
const widths = [1, 16, 64];

/**
 * Runs, kills and starts a worker again, delivering to a databeacon meanwhile, and keeps what it
 * did to its files.
 */
export async function record({ seed, rounds, writesARound }: RecordOptions): Promise<Recording> {
  const random = new ManualClock(0, seed);
  using home = tempDir('layer');
  let layer: FaultLayer | null = null;
  await using stack = await Stack.start({
    workerEnv: (dataDir) => (layer = new FaultLayer(dataDir, home.path, true)).env,
  });
  const recorder = layer as FaultLayer | null;
  if (!recorder) throw new Error('the stack did not ask for an environment');
  const retry = { giveUpMs: 60_000, longestMs: 300 };
  await using single = await connectHub(stack.nats.url, { timeoutMs: 1_000, retry });
  await using batching = await connectHub(stack.nats.url, {
    timeoutMs: 1_000,
    retry,
    batch: { itemsMax: 50, delayMs: 2 },
  });
  const answered: Answered[] = [];
  for (let round = 0; round < rounds; round++) {
    const hub = round % 2 === 0 ? batching : single;
    const width = widths[round % widths.length] ?? 1;
    const killAt = Math.floor(writesARound * (0.2 + 0.7 * random.random()));
    await load(
      hub,
      { round, count: width === 1 ? Math.ceil(writesARound / 5) : writesARound, width, random },
      (reply) => {
        answered.push({ seq: reply.Seq, guid: reply.EventGUID, at: recorder.recordedBytes });
        if (answered.length % writesARound === killAt)
          void stack.worker.kill().then(() => stack.worker.restart());
      },
    );
  }
  await until('the worker answers', () => stack.status(), { deadlineMs: 30_000 });
  await stack.worker.kill();
  const operations = recorder.recorded();
  return {
    operations,
    answered,
    hubId: stack.hubId,
    kills: rounds + 1,
    checkpoints: operations.filter(
      (one, at) =>
        one.kind === 'sync' &&
        one.path === 'state/state.db' &&
        operations[at - 1]?.kind === 'write',
    ).length,
    difference: differenceFrom(stack.workerFile(), operations),
  };
}

type Load = { round: number; count: number; width: number; random: ManualClock };

async function load(
  { client }: TestHub,
  { round, count, width, random }: Load,
  onAnswer: (reply: WriteReply) => void,
): Promise<void> {
  let next = 0;
  const writeOn = async () => {
    while (next < count) {
      const name = `${round}:${next++}`;
      const stamp = { EventGUID: guidOf(name) };
      const Note = 'x'.repeat(Math.floor(random.random() * bodyBytesMax));
      const isManifest = random.random() < 0.3;
      onAnswer(
        await (isManifest
          ? client.upsertManifest({ Hash: `run-${name}`, Note }, stamp)
          : client.upsertWorkItem({ WorkItemHash: `wi-${name}`, Note }, stamp)),
      );
    }
  };
  await Promise.all(Array.from({ length: width }, writeOn));
}

/**
 * What of the folder the record does not account for, or null: a write past the layer would make
 * all that follows worthless.
 */
function differenceFrom(folder: string, operations: readonly FileOperation[]): string | null {
  const disk = new RecordedDisk('journaled');
  for (const operation of operations) disk.apply(operation);
  const recorded = disk.files();
  const real = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => relative(folder, join(one.parentPath, one.name)));
  for (const path of real) {
    // SQLite keeps the index of its log in shared memory, and makes it again after a crash.
    if (path.endsWith('-shm')) continue;
    if (!recorded.get(path)?.equals(readFileSync(join(folder, path))))
      return (
        `${path}: ${recorded.get(path)?.length ?? 'no'} bytes recorded, ` +
        `${statSync(join(folder, path)).size} there`
      );
  }
  return [...recorded.keys()].find((path) => !existsSync(join(folder, path))) ?? null;
}

export type CutOptions = {
  seed: number;
  cuts: number;
  imagesACut: number;
  names: NameRule;
  /** So many operations of the first start are followed by a cut each, besides `cuts`. */
  first?: number;
  isSyncIgnored?: boolean;
};

export type CutReport = {
  cuts: number;
  images: number;
  /** Answered writes looked for, over all images. */
  looked: number;
  lost: number;
  /** Images in which an answered write was missing. */
  imagesWithLoss: number;
  /** First things that were wrong, losses and others. */
  complaints: string[];
  /** Findings of the starts, by class. */
  findings: Record<string, number>;
};

/**
 * Cuts the power at places all over the recording, and right before and behind syncs, several ways
 * each.
 */
export function cutPower(
  recording: Recording,
  { seed, cuts, imagesACut, names, first = 0, isSyncIgnored = false }: CutOptions,
): CutReport {
  const random = new ManualClock(0, seed);
  const places = placesOf(recording.operations, cuts, random);
  for (let index = 0; index < first; index++) places.add(index);
  const disk = new RecordedDisk(names, isSyncIgnored);
  const report: CutReport = {
    cuts: 0,
    images: 0,
    looked: 0,
    lost: 0,
    imagesWithLoss: 0,
    complaints: [],
    findings: {},
  };
  recording.operations.forEach((operation, index) => {
    disk.apply(operation);
    if (!places.has(index)) return;
    report.cuts += 1;
    const answered = recording.answered.filter((one) => one.at <= operation.end);
    for (let image = 0; image < imagesACut; image++) {
      using folder = tempDir('cut');
      disk.writeTo(folder.path, () => random.random());
      keepIdentity(folder.path);
      lookAt(
        folder.path,
        recording.hubId,
        answered,
        `after operation ${index} (${operation.kind} ${operation.path}), image ${image}`,
        report,
      );
    }
  });
  return report;
}

/**
 * A power cut does not give files other inodes; building the disk anew does, and one of them may
 * happen to be the remembered one.
 */
function keepIdentity(folder: string): void {
  const path = join(folder, 'store.json');
  try {
    const store = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const { db, wal } = pathsOf(folder);
    if (store['Db']) store['Db'] = identityOfFile(db) ?? store['Db'];
    if (store['Wal']) store['Wal'] = identityOfFile(wal) ?? store['Wal'];
    writeFileSync(path, JSON.stringify(store), { mode: 0o600 });
  } catch {
    // Not there yet, or torn by the cut: a start does without.
  }
}

/** Half of them anywhere, half at a sync, where an answer may follow at once. */
function placesOf(
  operations: readonly FileOperation[],
  cuts: number,
  random: ManualClock,
): Set<number> {
  const syncs = operations.flatMap((operation, index) =>
    operation.kind === 'sync' ? [index] : [],
  );
  const places = new Set<number>();
  for (let n = 0; n < cuts; n++) {
    const any = Math.floor(random.random() * operations.length);
    const atSync = syncs[Math.floor(random.random() * syncs.length)] ?? any;
    places.add(n % 2 === 0 ? any : Math.max(0, atSync - (n % 4 === 1 ? 1 : 0)));
  }
  return places;
}

function lookAt(
  folder: string,
  hubId: string,
  answered: readonly Answered[],
  where: string,
  report: CutReport,
): void {
  report.images += 1;
  report.looked += answered.length;
  const complain = (what: string) => {
    if (report.complaints.length < 20) report.complaints.push(`${where}: ${what}`);
  };
  const tell = ({ Class }: Finding) => {
    report.findings[Class] = (report.findings[Class] ?? 0) + 1;
  };
  try {
    const { store, journal } = openLocal(openStore(folder, tell), hubId);
    try {
      const lost = answered.filter(({ seq, guid }) => journal.find(guid)?.seq !== seq);
      report.lost += lost.length;
      if (lost.length > 0) {
        report.imagesWithLoss += 1;
        complain(
          `${lost.length} of ${answered.length} answered writes are missing, first Seq ${lost[0]?.seq}`,
        );
      }
      inconsistencies(store.db).forEach(complain);
      const last = answered.reduce((most, { seq }) => Math.max(most, seq), 0);
      const next = Number(
        store.db.prepare("select seq from sqlite_sequence where name = 'known'").pluck().get(),
      );
      if (next < last) complain(`the next Seq, ${next + 1}, was given before (I2)`);
    } finally {
      store.close();
    }
  } catch (error) {
    report.imagesWithLoss += 1;
    report.lost += answered.length;
    complain(`does not open: ${String(error)}`);
  }
}
