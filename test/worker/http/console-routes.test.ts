/**
 * What the console asks of a real worker over HTTP: events that are silent while nothing changes,
 * bounded readers, files and their headers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HistoryView } from '../../../contracts/console-answers.ts';
import { limits } from '../../../contracts/limits.ts';
import type { WorkerStatus } from '../../../contracts/status.ts';
import { Stack } from '../../kit/processes/stack.ts';
import { until } from '../../kit/until.ts';

type Event = { name: string; data: Record<string, unknown> };

/** Follows the events of a worker until told to stop. */
class Follower {
  readonly events: Event[] = [];
  readonly #ended = new AbortController();
  status = 0;
  done: Promise<void>;

  constructor(url: string) {
    this.done = this.#follow(url).catch(() => undefined);
  }

  async #follow(url: string): Promise<void> {
    const response = await fetch(url, { signal: this.#ended.signal });
    this.status = response.status;
    let rest = '';
    for await (const bytes of response.body ?? []) {
      const blocks = (rest + Buffer.from(bytes as Uint8Array).toString()).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, name = '', data = '{}'] = /^event: (\w+)\ndata: (.*)$/s.exec(block) ?? [];
        this.events.push({ name, data: JSON.parse(data) as Record<string, unknown> });
      }
    }
  }

  names(from = 0): string[] {
    return this.events.slice(from).map((event) => event.name);
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.done;
  }
}

describe('events and files', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
  });

  const beats = (follower: Follower, from: number) =>
    follower.names(from).filter((name) => name === 'beat').length;

  test('everything is told at once, then nothing but beats while nothing changes, and every change', async () => {
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'a', Status: 'Pending' });
    await stack.drained();
    const follower = new Follower(`${stack.httpUrl}/api/events`);
    await until('all is told', () =>
      ['status', 'beacons', 'history'].every((name) => follower.names().includes(name)),
    );
    expect(follower.events[0]?.data).toMatchObject({
      HubID: 'hub1',
      State: 'bootstrapped',
      Balance: { queue: { Accepted: 1, Difference: 0 } },
    });
    // The first comes at once; what the write above still brings about is over after the next.
    await until('two beats', () => beats(follower, 0) >= 2);
    const from = follower.events.length;
    await until('two more', () => beats(follower, from) >= 2);
    expect(follower.names(from)).toEqual(['beat', 'beat']);
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'b', Status: 'Pending' });
    const accepted = (event: Event) =>
      (event.data as unknown as WorkerStatus).Balance.queue.Accepted;
    await until('the write is told', () =>
      follower.events.slice(from).some((event) => event.name === 'status' && accepted(event) === 2),
    );
    await until('a sample is told', () => follower.names(from).includes('sample'));
    const { At, Queue } = (await (
      await fetch(`${stack.httpUrl}/api/history`)
    ).json()) as HistoryView;
    expect(Queue.Accepted).toHaveLength(At.length);
    expect(Queue.Accepted.at(-1)).toBe(2);
    await follower.stop();
  }, 90_000);

  test('a state in transit is told again and again', async () => {
    const follower = new Follower(`${stack.httpUrl}/api/events`);
    await stack.beacon.kill();
    await stack.hub.client.upsertWorkItem({ WorkItemHash: 'c', Status: 'Pending' });
    const waiting = (event: Event) =>
      event.name === 'status' &&
      (event.data as unknown as WorkerStatus).Queue.State === 'waiting-for-beacon';
    await until('it waits', () => follower.events.some(waiting));
    const from = follower.events.length;
    await until('a beat', () => beats(follower, from) >= 2);
    const ages = follower.events
      .slice(from)
      .filter(waiting)
      .map((event) => (event.data as unknown as WorkerStatus).Queue.OldestPendingMs);
    expect(ages.length).toBeGreaterThanOrEqual(2);
    expect(ages.toSorted((a, b) => a - b)).toEqual(ages);
    await until('the beacon left', () =>
      follower.events.some(
        (event) => event.name === 'beacons' && (event.data['Beacons'] as object[]).length === 0,
      ),
    );
    stack.beacon.restart();
    await stack.drained();
    await until('the end is told', () =>
      follower.events.some(
        (event, n) =>
          n > from &&
          event.name === 'status' &&
          (event.data as unknown as WorkerStatus).State === 'bootstrapped',
      ),
    );
    await follower.stop();
  }, 90_000);

  test('readers are bounded, and one that goes makes room', async () => {
    const all: Follower[] = [];
    const join = async () => {
      const one = new Follower(`${stack.httpUrl}/api/events`);
      await until('an answer', () => one.status !== 0);
      if (one.status === 200) all.push(one);
      return one.status === 200;
    };
    // Those of before may be on their way out still.
    await until(
      'all are taken',
      async () => (await join()) && all.length === limits.liveClientsMax,
    );
    const refused = await fetch(`${stack.httpUrl}/api/events`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({
      Code: 'UNAVAILABLE',
      Reason: expect.stringContaining(`${limits.liveClientsMax} consoles`),
    });
    await all[0]?.stop();
    await until('there is room again', join);
    await Promise.all(all.map((one) => one.stop()));
  }, 60_000);

  test('the page is strict about where it gets things from, and is not sent twice', async () => {
    const page = await fetch(`${stack.httpUrl}/`);
    expect(page.headers.get('Content-Security-Policy')).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:/,
    );
    expect(page.headers.get('X-Content-Type-Options')).toBe('nosniff');
    const again = await fetch(`${stack.httpUrl}/`, {
      headers: { 'If-None-Match': page.headers.get('ETag') ?? '' },
    });
    expect([again.status, await again.text()]).toEqual([304, '']);
    for (const file of ['main.js', 'views/worker-view.js'])
      expect((await fetch(`${stack.httpUrl}/console/${file}`)).headers.get('Content-Type')).toBe(
        'text/javascript; charset=utf-8',
      );
    for (const path of [
      'console/tsconfig.json',
      'console/../package.json',
      'console/%2e%2e/package.json',
      'console/',
      'console/nothing.js',
    ]) {
      expect([path, (await fetch(`${stack.httpUrl}/${path}`)).status]).toEqual([path, 404]);
    }
  });

  test('a refused one-way message can be dropped from the list by its number', async () => {
    const post = await fetch(`${stack.httpUrl}/api/dead-letters/id-1/drop`, { method: 'POST' });
    expect(post.status).toBe(401);
    expect((await fetch(`${stack.httpUrl}/api/dead-letters/id-1`)).status).toBe(404);
    expect(await (await fetch(`${stack.httpUrl}/api/dead-letters/id-1`)).json()).toMatchObject({
      Reason: expect.stringContaining('refused message 1'),
    });
    expect((await fetch(`${stack.httpUrl}/api/locate?key=`)).status).toBe(400);
    expect((await fetch(`${stack.httpUrl}/api/locate?key=a&lane=x`)).status).toBe(400);
    expect(
      await (await fetch(`${stack.httpUrl}/api/locate?key=a&lane=queue`)).json(),
    ).toMatchObject({
      Key: 'a',
      IsComplete: true,
      Entries: [{ State: 'applied', Action: 'QP_UpsertWorkItem' }],
    });
    expect((await fetch(`${stack.httpUrl}/api/locate?key=a&lane=manifest`)).status).toBe(404);
  });
});
