/**
 * Change events over a real bus that dies: every change is told in the end, in order and without a
 * gap; the incumbent's files at a real start.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Changes } from '../../worker/state/schema/change-log.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { createLog } from '../../runtime/log.ts';
import { Stack } from '../kit/processes/stack.ts';
import { until } from '../kit/until.ts';

type Told = Changes & { Store: string };

/** Entries that an event tells of. */
const entriesIn = (event: Told) =>
  event.changes
    .filter((change) => change.table === 'entry' && change.op === 'create')
    .reduce((sum, change) => sum + change.Count, 0);

async function listenTo(
  url: string,
  event: string,
  onEvent: (value: unknown, subject: string) => void,
) {
  const bus = await Bus.connect(
    { servers: url, name: 'listener' },
    createLog('listener', 'silent'),
  );
  bus.subscribe(`tidemark.hub1.event.${event}`, onEvent);
  await bus.flush();
  return { bus, [Symbol.asyncDispose]: () => bus.close() };
}

test('A12, A13 — the bus is killed under load: all writes are reported in order, repeats by one cursor', async () => {
  await using stack = await Stack.start();
  const told: Told[] = [];
  await using listener = await listenTo(stack.nats.url, 'store-changed', (value) => {
    told.push(value as Told);
  });
  let accepted = 0;
  const write = async (count: number, tag: string) => {
    await Promise.all(
      Array.from({ length: count }, (_, n) =>
        stack.hub.client
          .upsertWorkItem({ WorkItemHash: `${tag}-${n}`, Status: 'Pending' })
          .then(() => {
            accepted += 1;
          }),
      ),
    );
  };
  await write(200, 'before');
  await until(
    'the writes before are told',
    () => told.reduce((sum, event) => sum + entriesIn(event), 0) >= 200,
  );
  const during = write(300, 'during');
  await until('some of those between are accepted', () => accepted > 220);
  await stack.nats.kill();
  // The worker comes back to the bus after its listener: core NATS keeps nothing for those who are
  // not there.
  process.kill(stack.worker.pid, 'SIGSTOP');
  await stack.nats.start();
  await until('the listener is back', () => listener.bus.isConnected);
  await listener.bus.flush();
  process.kill(stack.worker.pid, 'SIGCONT');
  await during;
  await write(100, 'after');
  expect(accepted).toBe(600);
  // Pausing changes no entry: told because every table is watched.
  await stack.control('pause');
  const distinct = await until(
    'all is told',
    () => {
      const once = [...new Map(told.map((event) => [event.cursor, event])).values()].sort(
        (a, b) => a.cursor - b.cursor,
      );
      const isPauseTold = once.some((event) =>
        event.changes.some((change) => change.table === 'meta' && change.ids.includes('paused')),
      );
      return isPauseTold && once.reduce((sum, event) => sum + entriesIn(event), 0) >= 600
        ? once
        : null;
    },
    { deadlineMs: 40_000 },
  );
  expect(distinct.reduce((sum, event) => sum + entriesIn(event), 0)).toBe(600);
  expect(distinct.slice(1).map((event) => event.From)).toEqual(
    distinct.slice(0, -1).map((event) => event.cursor),
  );
  expect(told.map((event) => event.cursor)).toEqual(
    told.map((event) => event.cursor).toSorted((a, b) => a - b),
  );
  expect(new Set(told.map((event) => event.Store))).toEqual(
    new Set([(await stack.status()).Store]),
  );
  expect(told.some((event) => event.changes.some((change) => change.table === 'mark'))).toBe(true);
}, 120_000);

test('C10, C13 — files of the incumbent at a start: an event each, health names the bad one, marks stay', async () => {
  await using stack = await Stack.start({ isAssigned: false });
  await stack.worker.stop();
  mkdirSync(stack.workerFile(), { recursive: true });
  writeFileSync(
    stack.workerFile('persistence-bridge-hwm.json'),
    '{"Queue":{"db-1":"2026-05-01T10:00:00.000Z"}',
  );
  writeFileSync(
    stack.workerFile('persistence-assignment.json'),
    '{"Queue":{"BeaconID":"db-1","IDBeaconConnection":1},"Manifest":{"BeaconID":"db-1","IDBeaconConnection":1}}',
  );
  const told: { Source: string; Status: string }[] = [];
  const faults: { Class: string; What: string }[] = [];
  await using listener = await listenTo(stack.nats.url, '*', (value, subject) => {
    if (subject.endsWith('.legacy')) told.push(value as (typeof told)[number]);
    if (subject.endsWith('.fault')) faults.push(value as (typeof faults)[number]);
  });
  await listener.bus.flush();
  stack.worker.restart();
  const status = await until(
    "both lanes are bootstrapped by the incumbent's assignment",
    async () => {
      const now = await stack.status();
      return now.State === 'bootstrapped' ? now : null;
    },
    { deadlineMs: 40_000 },
  );
  expect(status.Queue).toMatchObject({
    AssignedBeaconID: 'db-1',
    IDBeaconConnection: 1,
    Seq: { Mark: 0 },
  });
  expect(told).toMatchObject([
    { Source: 'persistence-bridge-hwm.json', Status: 'failed' },
    { Source: 'persistence-assignment.json', Status: 'imported' },
  ]);
  expect(faults).toMatchObject([
    { Class: 'legacy', What: expect.stringContaining('persistence-bridge-hwm.json') },
  ]);
  const health = (await (await fetch(`${stack.httpUrl}/healthz`)).json()) as { Legacy: unknown };
  expect(health.Legacy).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({ Source: 'persistence-bridge-hwm.json', Status: 'failed' }),
    ]),
  );
  expect(existsSync(stack.workerFile('persistence-bridge-hwm.json.unreadable'))).toBe(true);
  expect(
    JSON.parse(readFileSync(stack.workerFile('persistence-bridge-hwm.json'), 'utf8')),
  ).toMatchObject({ Version: 2 });
  // The next start has nothing to tell.
  await stack.worker.stop();
  stack.worker.restart();
  await until('it is back', () => stack.status());
  expect(told).toHaveLength(2);
}, 120_000);
