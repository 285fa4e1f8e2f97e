/**
 * Publishing a trace keeps the order of each key, repeats nothing, and gets through whatever the
 * bus does.
 */
import { gzipSync } from 'node:zlib';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../contracts/errors.ts';
import { freePort, type NatsServer } from '../../../runtime/bus/nats-server.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { publish, type PublishOptions } from '../../../cli/publish/publish.ts';
import { TraceReader } from '../../../cli/publish/trace-call.ts';
import {
  SmallHub,
  startServer,
  startTidemark,
  tempFolder,
  tidemark,
  until,
  writeTrace,
} from '../../kit/processes/cli-fixture.ts';

const patch = (key: string, step: number) => ['updateWorkItem', key, { Priority: step }] as const;

function interleaved(keys: number, steps: number) {
  return Array.from({ length: steps }, (_, step) =>
    Array.from({ length: keys }, (__, key) => patch(`wi-${key}`, step)),
  ).flat();
}

describe('publish', () => {
  let folder: ReturnType<typeof tempFolder>;
  let server: NatsServer;
  let hub: SmallHub;
  let port: number;

  beforeEach(async () => {
    folder = tempFolder();
    port = await freePort();
    server = await startServer(join(folder.path, 'nats'), port);
    hub = await SmallHub.start(server.url);
  });

  afterEach(async () => {
    await hub.stop();
    await server.stop();
    folder[Symbol.dispose]();
  });

  const run = (files: string[], more: Partial<PublishOptions> = {}) =>
    publish({
      files,
      bus: { servers: server.url, name: 'test' },
      hub: 'hub1',
      concurrency: 64,
      batch: 1,
      rate: 0,
      giveUpMs: 0,
      isOneWay: false,
      signal: new AbortController().signal,
      out: { isTerminal: false, write: () => undefined },
      ...more,
    });

  const stepsOf = (key: string) =>
    hub.taken
      .filter(({ body }) => body.Settings['WorkItemHash'] === key)
      .map(({ body }) => (body.Settings['Patch'] as unknown as { Priority: number }).Priority);

  test.each([1, 50])('keeps the order of each key, with %i writes a request', async (batch) => {
    const trace = writeTrace(folder.path, 'a.jsonl', interleaved(30, 20));
    const summary = await run([trace], { batch });
    expect(summary).toMatchObject({
      Sent: 600,
      Accepted: 600,
      Duplicates: 0,
      Refused: 0,
      ReadsOk: 0,
    });
    for (let key = 0; key < 30; key++)
      expect(stepsOf(`wi-${key}`)).toEqual(Array.from({ length: 20 }, (_, step) => step));
    if (batch > 1)
      expect(hub.requests.filter((action) => action === 'batch').length).toBeGreaterThan(1);
  });

  test('a second run is all duplicates, gzipped or under another folder too', async () => {
    const calls = [
      ...interleaved(5, 3),
      ['appendEvent', { WorkItemHash: 'wi-1', EventType: 'enqueued' }] as const,
    ];
    const trace = writeTrace(folder.path, 'a.jsonl', calls);
    await run([trace]);
    const packed = join(folder.path, 'nats', 'a.jsonl');
    writeFileSync(packed, gzipSync(readFileSync(trace)));
    expect(await run([packed])).toMatchObject({
      Sent: 16,
      Accepted: 0,
      Duplicates: 16,
      Refused: 0,
    });
    expect(await run([trace], { batch: 7 })).toMatchObject({
      Sent: 16,
      Accepted: 0,
      Duplicates: 16,
      Refused: 0,
    });
  });

  test('an event carries the identity of its line and its number, and no clock value', async () => {
    const trace = writeTrace(folder.path, 'a.jsonl', [
      ['onBeaconConnected', 'b'],
      ['appendEvent', { WorkItemHash: 'wi-1', EventType: 'enqueued' }],
    ]);
    expect(await run([trace])).toMatchObject({ Sent: 1, Accepted: 1 });
    const guid = new TraceReader(trace).guidOf(2);
    expect(hub.taken[0]).toMatchObject({
      guid,
      body: {
        Settings: {
          Event: { WorkItemHash: 'wi-1', EventType: 'enqueued', EventGUID: guid, Seq: 2 },
        },
      },
    });
    expect(guid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8000-8000-000000000002$/);
  });

  test('a read is sent after the writes of its key before it', async () => {
    hub.delayMs = 5;
    const trace = writeTrace(folder.path, 'a.jsonl', [
      patch('wi-1', 1),
      patch('wi-1', 2),
      ['getWorkItemByHash', 'wi-1'],
      ['listWorkItems'],
      patch('wi-1', 3),
    ]);
    expect(await run([trace])).toMatchObject({ Sent: 5, Accepted: 3, ReadsOk: 2 });
    const keyed = hub.requests.filter((action) => action !== 'QP_ListWorkItems');
    expect(keyed).toEqual([
      'QP_UpdateWorkItem',
      'QP_UpdateWorkItem',
      'QP_GetWorkItemByHash',
      'QP_UpdateWorkItem',
    ]);
  });

  test.each([1, 10])(
    'tries again with the same EventGUID what was not accepted, with %i writes a request',
    async (batch) => {
      const tries = new Map<string, number>();
      hub.gate = (_, guid) => {
        tries.set(guid, (tries.get(guid) ?? 0) + 1);
        if (tries.get(guid) === 1)
          throw new TidemarkError('OVERLOADED', 'full', { retryAfterMs: 5 });
        if (tries.get(guid) === 2) throw new TidemarkError('STORAGE_FAILED', 'disk');
      };
      const trace = writeTrace(folder.path, 'a.jsonl', interleaved(10, 2));
      expect(await run([trace], { batch })).toMatchObject({
        Sent: 20,
        Accepted: 20,
        Duplicates: 0,
        Refused: 0,
      });
      expect([...tries.values()]).toEqual(Array.from({ length: 20 }, () => 3));
      expect(stepsOf('wi-3')).toEqual([0, 1]);
    },
  );

  test('counts as refused what trying again cannot mend, and says which line', async () => {
    hub.gate = (_, guid) => {
      if (guid.endsWith('2')) throw new TidemarkError('CONFLICT', 'other content');
    };
    const trace = writeTrace(folder.path, 'a.jsonl', interleaved(3, 1));
    const ran = await tidemark(['publish', trace, '--nats', server.url]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('refused a.jsonl:2 QP_UpdateWorkItem: CONFLICT');
    expect(JSON.parse(ran.stdout.trim().split('\n').at(-1) as string)).toMatchObject({
      Sent: 3,
      Accepted: 2,
      Duplicates: 0,
      Refused: 1,
      ReadsOk: 0,
    });
  });

  test('two files go side by side; an unreadable line is left out and said', async () => {
    const queue = writeTrace(folder.path, 'q.jsonl', interleaved(3, 2));
    const manifest = writeTrace(folder.path, 'm.jsonl', [
      ['upsertManifest', { Hash: 'run-1' }],
      ['getManifest', 'run-1'],
      ['removeManifest', 'run-1'],
    ]);
    writeFileSync(manifest, 'not json\n', { flag: 'a' });
    const ran = await tidemark(['publish', queue, manifest, '--nats', server.url]);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('unreadable lines 1');
    expect(JSON.parse(ran.stdout)).toMatchObject({ Sent: 9, Accepted: 8, ReadsOk: 1, Refused: 0 });
  });

  test('gives up when told to, and says so with exit 4', async () => {
    hub.gate = () => {
      throw new TidemarkError('UNAVAILABLE', 'draining');
    };
    const trace = writeTrace(folder.path, 'a.jsonl', [patch('wi-1', 1)]);
    const ran = await tidemark(['publish', trace, '--nats', server.url, '--give-up', '1']);
    expect(ran).toMatchObject({ code: 4, stderr: expect.stringContaining('given up after 1 s') });
  });

  test('every write arrives once though the bus is killed and started again on the way', async () => {
    const trace = writeTrace(folder.path, 'a.jsonl', interleaved(100, 30));
    hub.delayMs = 5;
    const { ended } = startTidemark(['publish', trace, '--nats', server.url]);
    await until('some are taken', () => hub.taken.length > 300);
    server.kill();
    await server.exited;
    await systemClock.sleep(200);
    server = await startServer(join(folder.path, 'nats'), port);
    const ran = await ended;
    expect(ran.code).toBe(0);
    const summary = JSON.parse(ran.stdout.trim().split('\n').at(-1) as string) as {
      Accepted: number;
      Duplicates: number;
    };
    expect(summary).toMatchObject({ Sent: 3000, Refused: 0 });
    expect(summary.Accepted + summary.Duplicates).toBe(3000);
    expect(hub.taken.length).toBe(3000);
    for (let key = 0; key < 100; key++)
      expect(stepsOf(`wi-${key}`)).toEqual(Array.from({ length: 30 }, (_, step) => step));
  }, 60_000);
});
