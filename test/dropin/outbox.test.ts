/** Where a hub's writes wait: in a file that outlives the process, in order, each once. */
import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { StampedWrite } from '../../contracts/client.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { HubFile } from '../../dropin/waiting/hub-file.ts';
import { Outbox } from '../../dropin/waiting/outbox.ts';
import { tempDir } from '../kit/temp-dir.ts';
import { until } from '../kit/until.ts';

const dir = tempDir('outbox');
let files = 0;
const opened: Outbox[] = [];
afterAll(() => dir[Symbol.dispose]());
afterEach(() => {
  for (const outbox of opened.splice(0)) outbox.end('the test is over');
});

const newPath = () => dir.at(`hub-${++files}.sqlite`);
const laneOf = (path: string, bytesMax = 64 * 1024 * 1024, asides: string[] = []) =>
  HubFile.lane('queue', path, bytesMax, (aside) => asides.push(aside));

function writeOf(n: number, key = `k${n}`, size = 10): StampedWrite {
  const eventGuid = `guid-${n}`;
  const text = JSON.stringify({ EventGUID: eventGuid, Settings: { n, x: 'x'.repeat(size) } });
  return { lane: 'queue', action: 'QP_UpdateWorkItem', key, eventGuid, text };
}

/** An outbox whose worker writes down what it gets. */
function outboxOf(more: { answer?: (guid: string) => void; giveUpMs?: number } = {}) {
  const got: string[] = [];
  const warned: string[] = [];
  const outbox = new Outbox({
    send: (_action, envelope: JsonObject) => {
      const guid = String(envelope['EventGUID']);
      more.answer?.(guid);
      got.push(guid);
      return Promise.resolve({ Available: true, Success: true, EventGUID: guid, Seq: got.length });
    },
    giveUpMs: more.giveUpMs ?? 60_000,
    writesMax: 1_000,
    charsMax: 1_000_000,
    warn: (message) => warned.push(message),
  });
  opened.push(outbox);
  return { outbox, got, warned };
}

const guids = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => `guid-${from + n}`);

test('a write is in the file when its call returns, and goes once to the next process, before new ones', async () => {
  const path = newPath();
  const first = outboxOf();
  first.outbox.begin(laneOf(path));
  for (let n = 0; n < 20; n++) void first.outbox.keep(writeOf(n, 'same')).catch(() => undefined);
  const { path: filePath } = laneFileOf(path);
  expect(filePath).toBe(path);
  expect(first.outbox.unanswered).toBe(20);
  first.outbox.end('the process dies');

  const second = outboxOf();
  second.outbox.begin(laneOf(path));
  expect(second.outbox.unanswered).toBe(20);
  const last = second.outbox.keep(writeOf(20, 'same'));
  second.outbox.open();
  expect(await last).toMatchObject({ Success: true });
  await until('all are sent', () => second.outbox.unanswered === 0);
  expect(second.got).toEqual(guids(0, 21));
  second.outbox.end('stop');

  const third = laneOf(path);
  expect(third.count).toBe(0);
  third.close();
});

/** The file is open in this process: another lane of it shares it. */
function laneFileOf(path: string): { path: string } {
  const lane = HubFile.lane('manifest', path, 1, () => undefined);
  try {
    return { path: lane.file.path };
  } finally {
    lane.close();
  }
}

test('a long backlog: a window of it in memory, the rest in the file, sent in order', async () => {
  const { outbox, got } = outboxOf();
  outbox.begin(laneOf(newPath()));
  const count = limits.dropinWindowWrites;
  const answers = Array.from({ length: 3_000 }, (_, n) =>
    outbox.keep(writeOf(n, `k${n % 7}`)).then((reply) => reply['Waiting'] === true),
  );
  expect(count).toBeGreaterThan(1_000);
  expect(outbox.unanswered).toBe(3_000);
  expect(outbox.waiting('k3').map(({ key }) => key)).toEqual(
    Array.from({ length: Math.ceil((3_000 - 3) / 7) }, () => 'k3'),
  );
  outbox.open();
  // The window of this outbox holds 1 000 writes.
  expect((await Promise.all(answers)).filter((isWaiting) => isWaiting)).toHaveLength(2_000);
  await until('all are sent', () => outbox.unanswered === 0);
  for (let key = 0; key < 7; key++) {
    const ofKey = got.filter((guid) => Number(guid.slice(5)) % 7 === key);
    expect(ofKey).toEqual(ofKey.toSorted((one, other) => +one.slice(5) - +other.slice(5)));
  }
  expect(new Set(got).size).toBe(3_000);
});

describe('what goes wrong', () => {
  test('a worker that is away for a try gets the same write again; a refusal is the caller to hear', async () => {
    const refusals = new Map([
      ['guid-0', [new TidemarkError('UNAVAILABLE', 'no answer')]],
      ['guid-1', [new TidemarkError('INVALID_MESSAGE', 'wrong')]],
    ]);
    const { outbox, got } = outboxOf({
      answer: (guid) => {
        const refusal = refusals.get(guid)?.shift();
        if (refusal) throw refusal;
      },
    });
    outbox.begin(laneOf(newPath()));
    outbox.open();
    const answers = await Promise.allSettled([
      outbox.keep(writeOf(0, 'a')),
      outbox.keep(writeOf(1, 'a')),
      outbox.keep(writeOf(2, 'a')),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(got).toEqual(['guid-0', 'guid-2']);
    expect(outbox.unanswered).toBe(0);
  });

  test('a refused write that nobody waits for is said', async () => {
    const path = newPath();
    const first = outboxOf();
    first.outbox.begin(laneOf(path));
    void first.outbox.keep(writeOf(0)).catch(() => undefined);
    first.outbox.end('the process dies');
    const second = outboxOf({
      answer: () => {
        throw new TidemarkError('INVALID_MESSAGE', 'no such column');
      },
    });
    second.outbox.begin(laneOf(path));
    second.outbox.open();
    await until('it is refused', () => second.outbox.unanswered === 0);
    expect(second.warned).toEqual([
      expect.stringMatching(/QP_UpdateWorkItem of k0: no such column/),
    ]);
  });

  test('a caller who waited too long is told that it stays, and it is sent later', async () => {
    const { outbox, got } = outboxOf({ giveUpMs: 1 });
    outbox.begin(laneOf(newPath()));
    const answer = outbox.keep(writeOf(0));
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    outbox.expire('nobody answered');
    await expect(answer).rejects.toThrow(/nobody answered; it stays in the hub's file/);
    outbox.open();
    await until('it is sent', () => outbox.unanswered === 0);
    expect(got).toEqual(['guid-0']);
  });

  test('a full file refuses as OVERLOADED behind a backlog, and takes writes again when it has room', async () => {
    const { outbox } = outboxOf();
    outbox.begin(laneOf(newPath(), 1_000_000));
    const answers = Array.from({ length: 1_500 }, (_, n) =>
      outbox.keep(writeOf(n, 'k', 1_000)).catch((error: unknown) => error),
    );
    outbox.open();
    const refused = (await Promise.all(answers)).filter((answer) => answer instanceof Error);
    expect(refused.length).toBeGreaterThan(100);
    expect(refused[0]).toMatchObject({ code: 'OVERLOADED', message: /is full \(1000000 bytes/ });
    await until('it is empty', () => outbox.unanswered === 0);
    expect(await outbox.keep(writeOf(9_999))).toMatchObject({ Success: true });
  });

  test('a damaged file is put aside, said, and a new one begun', () => {
    const path = newPath();
    writeFileSync(
      path,
      'this is no database at all, but it is long enough to be looked at'.repeat(99),
    );
    const asides: string[] = [];
    const lane = laneOf(path, 1_000_000, asides);
    expect([lane.count, asides]).toEqual([0, [`${path}.damaged`]]);
    expect(existsSync(`${path}.damaged`)).toBe(true);
    lane.close();
  });

  test('a lane of a file is held by one bridge', () => {
    const path = newPath();
    const lane = laneOf(path);
    expect(() => laneOf(path)).toThrow(/another queue bridge/);
    lane.close();
    laneOf(path).close();
  });
});
