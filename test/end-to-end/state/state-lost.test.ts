/**
 * The files of a real worker are taken away or changed under it: nothing more is accepted, what it
 * holds is saved, and the next worker goes on with all of it.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBody } from '../../../contracts/body/codec.ts';
import type { Refusal } from '../../../contracts/errors.ts';
import type { WriteReply } from '../../../contracts/reply.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { openReadOnly } from '../../../worker/state/connection.ts';
import type { RescueNote } from '../../../worker/state/recover/rescue.ts';
import { readRows } from '../../kit/rows/compare.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

/** What a hub knows of its writes: sent, and accepted. */
class Writer {
  readonly sent = new Set<string>();
  readonly accepted = new Set<string>();
  readonly refusals: Refusal[] = [];
  readonly #stack: Stack;
  #count = 0;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** One write, sent once. @returns its name if it was accepted */
  async write(name = `w${this.#count++}`): Promise<string | null> {
    this.sent.add(name);
    const body = JSON.stringify({
      EventGUID: guidOf(name),
      Settings: { WorkItem: { WorkItemHash: name } },
    });
    const asked = this.#stack.hub.request(
      subjects.action(this.#stack.hubId, 'queue', 'QP_UpsertWorkItem'),
      body,
      { 'Content-Type': 'application/json' },
    );
    // Who is gone does not answer any more: whether it was taken is not known.
    const reply = await Promise.race([asked, this.#stack.worker.exited.then(() => null)]);
    if (!reply) return null;
    const answer = decodeBody(reply.data, reply.headers) as WriteReply | Refusal;
    if (answer.Success) this.accepted.add(name);
    else this.refusals.push(answer);
    return answer.Success ? name : null;
  }

  async writes(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.write()));
  }

  /** Writes one after the other until one is not accepted. */
  async writeOn(): Promise<void> {
    while (await this.write());
  }
}

type Harm = {
  what: string;
  class: string;
  /** What the next worker says of it. */
  told: RegExp;
  /** What was only in the file, delivered long ago, is gone for good; the rest is not. */
  isDestroyed?: boolean;
  do: (at: (...parts: string[]) => string) => void;
};

const harms: Harm[] = [
  {
    what: 'the state folder is removed',
    class: 'gone',
    told: /^restored$/,
    do: (at) => rmSync(at('state'), { recursive: true, maxRetries: 10 }),
  },
  {
    what: 'the whole data directory is removed',
    class: 'gone',
    told: /^restored$/,
    do: (at) => rmSync(at(), { recursive: true, maxRetries: 10 }),
  },
  // Whether what lies there can be opened depends on what of it was in the log by then: merged into
  // it, or put in its place.
  {
    what: 'an older copy is put over the database',
    class: 'modified',
    told: /^(rescue-merged|restored)$/,
    do: (at) => copyFileSync(at('older'), at('state', 'state.db')),
  },
  {
    what: 'the database is cut to nothing',
    class: 'modified',
    told: /^lost$/,
    isDestroyed: true,
    do: (at) => truncateSync(at('state', 'state.db'), 0),
  },
];

describe.each(harms)('$what, with a backlog waiting (I1)', (harm) => {
  let stack: Stack;
  let listener: NatsConnection;
  let writer: Writer;
  const faults: Record<string, unknown>[] = [];
  beforeAll(async () => {
    stack = await Stack.start();
    writer = new Writer(stack);
    listener = await connect({ servers: stack.nats.url });
    listener.subscribe(subjects.event(stack.hubId, 'fault'), {
      callback: (_error, message) => {
        faults.push(message.json());
      },
    });
    await listener.flush();
  }, 120_000);
  afterAll(async () => {
    await listener?.close();
    await stack?.[Symbol.asyncDispose]();
  });

  const at = (...parts: string[]) => stack.workerFile(...parts);

  test('the worker accepts nothing more, says why, saves what it accepted, leaves with 1 (D8, D10)', async () => {
    await writer.writes(200);
    await stack.drained();
    await stack.worker.stop();
    copyFileSync(at('state', 'state.db'), at('older'));
    stack.worker.restart();
    await until('the worker is back', () => stack.status());
    await stack.beacon.kill();
    await writer.writes(300);
    expect(writer.accepted.size).toBe(500);
    const before = Promise.all([writer.writeOn(), writer.writeOn()]);
    await until('writes flow', () => writer.accepted.size > 520);
    harm.do(at);
    const late = await Promise.all([writer.write(), writer.write()]);
    expect(late, 'sent after the harm').toEqual([null, null]);
    expect(await stack.worker.exited).toBe('exit 1');
    await before;
    expect(writer.refusals.length).toBeGreaterThan(0);
    for (const one of writer.refusals)
      expect(one).toMatchObject({ Code: 'STORAGE_FAILED', RetryAfterMs: expect.any(Number) });
    expect(faults).toEqual([
      expect.objectContaining({
        Class: harm.class,
        What: expect.stringContaining('under the running worker'),
      }),
    ]);
    if (!harm.isDestroyed) expectRescue(at('rescue'), harm.class, writer.accepted);
    expect(
      existsSync(at('state', 'state.db')),
      'a ghost makes no file at the place of the lost one',
    ).toBe(harm.class !== 'gone');
  }, 90_000);

  test('the next worker has all of it, delivers it, and says what happened (D10, D11)', async () => {
    stack.worker.restart();
    stack.beacon.restart();
    await until('the next worker answers', () => stack.status());
    const status = await stack.drained();
    expect([status.Balance.queue.Difference, status.Balance.manifest.Difference]).toEqual([0, 0]);
    expect(status.Queue.DeadLetters).toBe(0);
    const inBackend = new Set(
      readRows(stack.backendPath, 'UVQueueWorkItem').map((row) => String(row['WorkItemHash'])),
    );
    expect(
      [...writer.accepted].filter((name) => !inBackend.has(name)),
      'accepted and lost',
    ).toEqual([]);
    const health = (await (await fetch(`${stack.httpUrl}/healthz`)).json()) as {
      Db: { Status: string };
      Faults: { Class: string }[];
    };
    expect(health.Db.Status).toBe('ok');
    expect(health.Faults.map((one) => one.Class)).toContainEqual(expect.stringMatching(harm.told));
  }, 90_000);

  test('a hub that sends again what was refused ends up with each write once (I3)', async () => {
    for (const name of writer.sent) if (!writer.accepted.has(name)) await writer.write(name);
    expect(writer.accepted).toEqual(writer.sent);
    const status = await stack.drained();
    expect(status.Balance.queue.Difference).toBe(0);
    if (!harm.isDestroyed) expect(status.Balance.queue.Accepted).toBe(writer.sent.size);
  }, 60_000);
});

test('told to stop before it could see that its state is gone, a worker saves it all the same (A15, D10)', async () => {
  await using stack = await Stack.start({ isAssigned: false });
  const writer = new Writer(stack);
  await writer.writes(100);
  rmSync(stack.workerFile('state'), { recursive: true });
  expect(await stack.worker.stop()).toBe('exit 1');
  expect(writer.accepted.size).toBe(100);
  expectRescue(stack.workerFile('rescue'), 'gone', writer.accepted);
}, 90_000);

/** One complete rescue, with every accepted write in it. */
function expectRescue(folder: string, found: string, accepted: ReadonlySet<string>): void {
  const [name = '', ...more] = readdirSync(folder);
  expect(more).toEqual([]);
  const note = JSON.parse(readFileSync(join(folder, name, 'note.json'), 'utf8')) as RescueNote;
  expect(note).toMatchObject({ Version: 1, Class: found, Kind: 'copy', Lost: [] });
  const copy = openReadOnly(join(folder, name, 'state.db'));
  try {
    const guids = new Set(
      (copy.prepare('select guid from entry').pluck().all() as Buffer[]).map((guid) =>
        guid.toString('hex'),
      ),
    );
    expect(
      [...accepted].filter((one) => !guids.has(guidOf(one).replaceAll('-', ''))),
      'accepted and not saved',
    ).toEqual([]);
    expect(note.Entries).toBe(guids.size);
  } finally {
    copy.close();
  }
}
