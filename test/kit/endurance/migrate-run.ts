/**
 * A store of schema 3, filled to a size, brought over by a serving worker that is killed again and
 * again on the way: nothing of it may change, and repeats must be known all the time.
 */
import { createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { WriteReply } from '../../../contracts/reply.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { connectHub, type TestHub } from '../processes/hub.ts';
import { TidemarkProcess } from '../processes/processes.ts';
import { TestNats } from '../servers/nats.ts';
import { tempDir } from '../temp-dir.ts';
import { until } from '../until.ts';
import { goldenFacts, placeGolden } from '../worker/golden.ts';

export type MigrateReport = {
  entries: number;
  bytesBefore: number;
  /** Of the database, what of it is the view that reads are answered from, and of the log. */
  fileBytesMost: number;
  viewBytes: number;
  walBytesMost: number;
  kills: number;
  /** Entries left to move when it was killed. */
  leftAtKills: number[];
  seconds: number;
  acceptedMeanwhile: number;
  repeats: number;
  slowestAnswerMs: number;
  faults: string[];
};

type Filled = { guid: string; seq: number; hash: string };

const filler = 'x'.repeat(700);
const sampleEvery = 997;

/** Delivered and stripped ones first, then delivered ones with bodies, then what waits. */
function fill(path: string, entries: number): Filled[] {
  const db = new Database(path);
  const insert = db.prepare(
    'insert into entry (lane, action, guid, key, accepted_ms, body, digest) values (0, ?, ?, ?, ?, ?, ?)',
  );
  const samples: Filled[] = [];
  const nowMs = Date.now();
  const add = (count: number, isStripped: boolean) => {
    for (let n = 0; n < count; n++) {
      const guid = randomBytes(16);
      guid[6] = 0x40 | ((guid[6] ?? 0) & 0x0f);
      guid[8] = 0x80 | ((guid[8] ?? 0) & 0x3f);
      const hash = `filled-${randomBytes(6).toString('hex')}`;
      const body = JSON.stringify(settingsOf(hash));
      const digest = isStripped ? randomBytes(16) : null;
      const { lastInsertRowid } = insert.run(
        'QP_UpsertWorkItem',
        guid,
        hash,
        nowMs,
        isStripped ? null : body,
        digest,
      );
      if (!isStripped && n % sampleEvery === 0)
        samples.push({ guid: dashed(guid), seq: Number(lastInsertRowid), hash });
    }
  };
  const part = Math.floor(entries / 3);
  db.transaction(() => {
    const highest = () => Number(db.prepare('select max(seq) from entry').pluck().get());
    add(part, true);
    const stripped = highest();
    add(part, false);
    const delivered = highest();
    add(entries - 2 * part, false);
    db.prepare(
      'update lane set accepted = accepted + ?, head = ?, bare = bare + ?, bare_through = ? where lane = 0',
    ).run(entries, highest(), part, stripped);
    db.prepare('update mark set applied = applied + ?, seq = ? where lane = 0').run(
      2 * part,
      delivered,
    );
  })();
  db.close();
  return samples;
}

function settingsOf(hash: string): { WorkItem: { WorkItemHash: string; Note: string } } {
  return { WorkItem: { WorkItemHash: hash, Note: filler } };
}

function dashed(guid: Buffer): string {
  return guid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** All that is known of the entries up to a Seq, as one digest. */
function imageOf(path: string, through: number): { image: string; entries: number } {
  const db = new Database(path, { readonly: true });
  const hash = createHash('sha256');
  let entries = 0;
  const rows = db
    .prepare<[number], unknown[]>(
      'select seq, lane, hex(guid), accepted_ms, body, hex(digest), trace from entry where seq <= ? order by seq',
    )
    .raw();
  for (const row of rows.iterate(through)) {
    hash.update(JSON.stringify(row));
    entries += 1;
  }
  db.close();
  return { image: hash.digest('hex'), entries };
}

function headOf(path: string): number {
  const db = new Database(path, { readonly: true });
  const head = Number(db.prepare('select max(seq) from entry').pluck().get());
  db.close();
  return head;
}

/** The view for reads is made anew from what is kept, as soon as a worker rests. */
function bytesOfView(path: string): number {
  const db = new Database(path, { readonly: true });
  const bytes = Number(
    db.prepare("select sum(pgsize) from dbstat where name like '%projected%'").pluck().get(),
  );
  db.close();
  return bytes;
}

/** How many are still to be moved; null when the old table is gone. */
function leftIn(path: string): number | null {
  const db = new Database(path, { readonly: true, timeout: 5_000 });
  try {
    const isThere = db.prepare("select 1 from sqlite_schema where name = 'entry_old'").get();
    if (isThere === undefined) return null;
    return Number(db.prepare('select count(*) from entry_old').pluck().get());
  } finally {
    db.close();
  }
}

export async function migrateRun(entries: number, kills: number): Promise<MigrateReport> {
  using dir = tempDir('migrate');
  const path = placeGolden('state-v3', dir.at('worker'));
  const samples = fill(path, entries);
  const head = headOf(path);
  const before = imageOf(path, head);
  const { db, wal } = pathsOf(dir.at('worker'));
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const bytesBefore = sizeOf(db);
  await using nats = await TestNats.start();
  const { Hub } = goldenFacts('state-v3');
  const keep = ['--retain-for', '3000d', '--dedup-for', '3000d', '--retain-entries', '100000000'];
  const where = ['--data', dir.at('worker'), '--http', '127.0.0.1:0', '--nats', nats.url];
  await using worker = new TidemarkProcess(['worker', '--hub', Hub, ...where, ...keep]);
  await using hub = await connectHub(nats.url, { hub: Hub });
  const traffic = new Meanwhile(hub, samples);
  const startedMs = performance.now();
  const leftAtKills: number[] = [];
  let [fileBytesMost, walBytesMost] = [bytesBefore, 0];
  for (;;) {
    await sleep(100);
    fileBytesMost = Math.max(fileBytesMost, sizeOf(db));
    walBytesMost = Math.max(walBytesMost, sizeOf(wal));
    const left = traffic.hasBegun ? leftIn(path) : entries;
    if (left === null) break;
    const isDue = left < entries * (1 - (leftAtKills.length + 1) / (kills + 2));
    if (leftAtKills.length < kills && isDue) {
      await worker.kill();
      leftAtKills.push(leftIn(path) ?? 0);
      worker.restart();
    } else if (!worker.isRunning) throw new Error(`the worker ended:\n${worker.tail()}`);
  }
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  await traffic.end();
  await until('it stops', async () => worker.stop());
  const after = imageOf(path, head);
  const viewBytes = bytesOfView(path);
  const faults = [...traffic.faults];
  if (after.image !== before.image)
    faults.push(`${before.entries} entries before, ${after.entries} after, or other content`);
  return {
    entries: before.entries,
    bytesBefore,
    fileBytesMost,
    viewBytes,
    walBytesMost,
    kills: leftAtKills.length,
    leftAtKills,
    seconds,
    acceptedMeanwhile: traffic.accepted,
    repeats: traffic.repeats,
    slowestAnswerMs: Math.round(traffic.slowestMs),
    faults,
  };
}

/** New writes and repeats of old ones, one after the other, until it is told to end. */
class Meanwhile {
  readonly faults: string[] = [];
  accepted = 0;
  repeats = 0;
  /** The client library sends again on its own while the worker is away, so kills are in it. */
  slowestMs = 0;
  #isOver = false;
  readonly #work: Promise<unknown>;

  constructor(hub: TestHub, samples: readonly Filled[]) {
    this.#work = Promise.all([this.#write(hub), this.#repeat(hub, samples)]);
  }

  get hasBegun(): boolean {
    return this.accepted > 0;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  async #write({ client }: TestHub): Promise<void> {
    while (!this.#isOver) {
      const fromMs = performance.now();
      await client.upsertWorkItem({ WorkItemHash: `new-${this.accepted % 100}` });
      this.slowestMs = Math.max(this.slowestMs, performance.now() - fromMs);
      this.accepted += 1;
    }
  }

  async #repeat({ client }: TestHub, samples: readonly Filled[]): Promise<void> {
    for (let at = 0; !this.#isOver; at = (at + 1) % samples.length) {
      const { guid, seq, hash } = samples[at] as Filled;
      const reply: WriteReply = await client.upsertWorkItem(settingsOf(hash).WorkItem, {
        EventGUID: guid,
      });
      if (!reply.Duplicate || reply.Seq !== seq)
        this.faults.push(`a repeat of Seq ${seq} was answered ${JSON.stringify(reply)}`);
      this.repeats += 1;
      await sleep(2);
    }
  }
}
