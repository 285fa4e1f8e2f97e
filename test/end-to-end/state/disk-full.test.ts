/**
 * The disk of a real worker runs full, for real: what was accepted stays, what is refused is told
 * so, delivery goes on, and with room writes are taken again.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBody } from '../../../contracts/body/codec.ts';
import type { WriteReply } from '../../../contracts/reply.ts';
import type { Refusal } from '../../../contracts/errors.ts';
import { subjects } from '../../../contracts/subjects.ts';
import { readRows } from '../../kit/rows/compare.ts';
import { SmallDisk } from '../../kit/servers/small-disk.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { guidOf } from '../../kit/rows/trace.ts';
import { until } from '../../kit/until.ts';

const MiB = 1024 * 1024;

/** One worker on a small disk, and what became of each write sent to it. */
class Run {
  readonly disk = new SmallDisk(96 * MiB);
  readonly accepted = new Set<string>();
  readonly refused: Refusal[] = [];
  stack!: Stack;
  #count = 0;

  async start(workerArgs: string[]): Promise<void> {
    expect(SmallDisk.isPossible, 'this test needs user namespaces: unshare -Urm').toBe(true);
    this.stack = await Stack.start({
      workerDisk: this.disk,
      workerArgs: ['--any-file-system', ...workerArgs],
    });
    await until('the reserve is there', () => existsSync(this.disk.at('reserve')));
  }

  /** Sends one write once, without trying again. */
  async write(bytes = 2_000): Promise<boolean> {
    const hash = `w${this.#count++}`;
    const body = JSON.stringify({
      EventGUID: guidOf(hash),
      Settings: { WorkItem: { WorkItemHash: hash, Result: { text: 'x'.repeat(bytes) } } },
    });
    const reply = await this.stack.hub.request(
      subjects.action(this.stack.hubId, 'queue', 'QP_UpsertWorkItem'),
      body,
      { 'Content-Type': 'application/json' },
    );
    const answer = decodeBody(reply.data, reply.headers) as WriteReply | Refusal;
    if (answer.Success) this.accepted.add(hash);
    else this.refused.push(answer);
    return answer.Success;
  }

  async writes(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.write();
  }

  inBackend(): Set<string> {
    return new Set(
      readRows(this.stack.backendPath, 'UVQueueWorkItem').map((row) => String(row['WorkItemHash'])),
    );
  }

  /** Exactly what was accepted is there. */
  async expectAll(): Promise<void> {
    const status = await this.stack.drained();
    expect(this.inBackend()).toEqual(this.accepted);
    expect([status.Balance.queue.Difference, status.Balance.manifest.Difference]).toEqual([0, 0]);
    expect(status.Queue.DeadLetters).toBe(0);
    expect(this.stack.worker.isRunning, 'without a restart').toBe(true);
  }

  async end(): Promise<void> {
    await this.stack?.[Symbol.asyncDispose]();
    this.disk[Symbol.dispose]();
  }

  async ready(): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.stack.httpUrl}/readyz`);
    return { status: response.status, text: await response.text() };
  }
}

describe('the disk fills up while the database is away, with some room kept (I1, I9)', () => {
  const run = new Run();
  beforeAll(() => run.start(['--disk-free-min', '8M']), 120_000);
  afterAll(() => run.end());

  test('writes are refused with a delay before SQLite meets the end, and the worker says why', async () => {
    await run.writes(50);
    await run.stack.drained();
    await run.stack.beacon.kill();
    await run.writes(200);
    expect(run.refused).toEqual([]);
    run.disk.fill(6 * MiB);
    await until('the worker is not ready', async () => (await run.ready()).status === 503);
    await run.writes(20);
    expect(run.refused).toHaveLength(20);
    for (const one of run.refused)
      expect(one).toMatchObject({
        Code: 'OVERLOADED',
        RetryAfterMs: expect.any(Number),
        Reason: expect.stringContaining('free'),
      });
    expect((await run.ready()).text).toContain('make room');
    const { Capacity } = await run.stack.status();
    expect(Capacity).toMatchObject({
      FreeBytesMin: 8 * MiB,
      Refusing: expect.stringContaining('free'),
      TimeToFullSeconds: 0,
    });
    expect(Capacity.FreeBytes).toBeLessThan(8 * MiB);
    expect(Capacity.ReserveBytes, 'the reserve is not needed yet').toBeGreaterThan(MiB);
    const metrics = await (await fetch(`${run.stack.httpUrl}/metrics`)).text();
    expect(metrics).toMatch(/^tidemark_intake_refusing 1$/m);
    expect(metrics).toMatch(/^tidemark_disk_free_bytes \d/m);
    expect(run.stack.worker.stderr.match(/no room for writes/g), 'said once').toHaveLength(1);
  }, 60_000);

  test('delivery goes on meanwhile', async () => {
    run.stack.beacon.restart();
    await run.expectAll();
    expect((await run.ready()).status).toBe(503);
  }, 90_000);

  test('with room again writes are taken, without a restart', async () => {
    run.disk.empty();
    await until('the worker is ready', async () => (await run.ready()).status === 200);
    const before = run.refused.length;
    await run.writes(50);
    expect(run.refused).toHaveLength(before);
    await run.expectAll();
  }, 60_000);
});

describe('the disk is full to the last byte: SQLite itself says so (I1, I5, I10)', () => {
  const run = new Run();
  beforeAll(() => run.start(['--disk-free-min', '0']), 120_000);
  afterAll(() => run.end());

  test('what SQLite has no room for is refused and not stored, and the reserve is given up', async () => {
    await run.writes(50);
    await run.stack.drained();
    await run.stack.beacon.kill();
    await run.writes(200);
    await run.stack.hub.client.getWorkItemByHash('w60');
    run.disk.fill();
    // The log is written over where it can be, so some may still find room.
    await until('a write is refused', async () => !(await run.write(200_000)), { everyMs: 1 });
    expect(run.refused[0]).toMatchObject({ Code: 'OVERLOADED', RetryAfterMs: expect.any(Number) });
    expect(existsSync(run.disk.at('reserve'))).toBe(false);
    await run.writes(20);
    expect(run.refused.length).toBeGreaterThan(20);
    expect((await run.ready()).status).toBe(503);
  }, 60_000);

  test('delivery, settling and marks go on in the room of the reserve', async () => {
    const accepted = run.accepted.size;
    run.stack.beacon.restart();
    await run.expectAll();
    expect(run.accepted.size).toBe(accepted);
    expect((await run.ready()).status).toBe(503);
  }, 90_000);

  test('with room again writes are taken, behind a new reserve', async () => {
    run.disk.empty();
    await until('the worker is ready', async () => (await run.ready()).status === 200);
    expect(existsSync(run.disk.at('reserve'))).toBe(true);
    const before = run.refused.length;
    await run.writes(50);
    expect(run.refused).toHaveLength(before);
    await run.expectAll();
  }, 60_000);
});

describe('killed on a full disk (I1, I5)', () => {
  const run = new Run();
  beforeAll(() => run.start(['--disk-free-min', '0']), 120_000);
  afterAll(() => run.end());

  test('it starts again in the room of its reserve, delivers, and has everything that was accepted', async () => {
    await run.stack.beacon.kill();
    await run.writes(300);
    await run.stack.worker.kill();
    run.disk.fill();
    run.stack.worker.restart();
    run.stack.beacon.restart();
    await run.expectAll();
    expect(run.refused).toEqual([]);
  }, 120_000);
});
