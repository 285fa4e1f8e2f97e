/** What the log of a hub says of a worker that does not answer, and when. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Absence } from '../../dropin/absence.ts';

const lines: string[] = [];
let served: string[] | null = [];
beforeEach(() => {
  vi.useFakeTimers();
  lines.length = 0;
});
afterEach(() => vi.useRealTimers());

function absenceOf(): Absence {
  return new Absence({
    served: () => Promise.resolve(served),
    waiting: () => '7 writes wait in /data/tidemark-h9.sqlite',
    info: (line) => lines.push(`info ${line}`),
    warn: (line) => lines.push(`warn ${line}`),
  });
}

/** As the link does: a question every quarter of a second. */
async function awayFor(absence: Absence, seconds: number): Promise<void> {
  for (let n = 0; n < seconds * 4; n++) {
    absence.away('nobody serves hub h9 on nats://bus', true);
    await vi.advanceTimersByTimeAsync(250);
  }
}

test('nothing while all is well, nor at a start or a restart of some seconds', async () => {
  const absence = absenceOf();
  await awayFor(absence, 0.25);
  absence.heard();
  await vi.advanceTimersByTimeAsync(600_000);
  await awayFor(absence, 4);
  absence.heard();
  expect(lines).toEqual([]);
});

test('after 5 s one line with the hubs that are served, each minute another, and one at the end', async () => {
  const absence = absenceOf();
  absence.heard();
  await vi.advanceTimersByTimeAsync(60_000);
  served = ['h1', 'h2'];
  await awayFor(absence, 70);
  absence.heard();
  expect(lines).toEqual([
    'warn nobody serves hub h9 on nats://bus (for 5 s); served there: h1, h2; ' +
      '7 writes wait in /data/tidemark-h9.sqlite',
    'warn nobody serves hub h9 on nats://bus (for 65 s); served there: h1, h2; ' +
      '7 writes wait in /data/tidemark-h9.sqlite',
    'info answers again after 70 s; 7 writes wait in /data/tidemark-h9.sqlite',
  ]);
});

test('a bus without workers says so; one that cannot be asked says nothing of it', async () => {
  served = [];
  const absence = absenceOf();
  await awayFor(absence, 6);
  expect(lines.join()).toContain('no hub is served there, start one: tidemark worker');
  served = null;
  lines.length = 0;
  await awayFor(absenceOf(), 6);
  expect(lines).toEqual([expect.stringMatching(/\(for 5 s\); 7 writes wait/)]);
});

test('a read waits for the worker until it is known that nobody answers', async () => {
  const absence = absenceOf();
  absence.heard();
  const never = new Promise<string>(() => undefined);
  const read = absence.unlessKnown(never);
  await awayFor(absence, 2);
  expect(await read).toBeUndefined();
  expect(absence.isKnown).toBe(true);
  expect(await absence.unlessKnown(Promise.resolve('answer'))).toBe('answer');
});
