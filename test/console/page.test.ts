/** The page's pure parts, and what it weighs. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HistoryView } from '../../contracts/console-answers.ts';

const folder = join(import.meta.dirname, '..', '..', 'console');
// The page's modules are JavaScript, typed by comments that its own tsconfig checks.
type Sse = { eventReader(onEvent: (name: string, data: string) => void): (text: string) => void };
type Format = Record<'count' | 'bytes' | 'span' | 'age', (value: number) => string> & {
  rate(value: number | null): string;
  timeToFull(value: number | null): string;
  time(at: unknown, nowMs?: number): string;
  isGuid(text: string): boolean;
};
type History = {
  withSample(view: HistoryView, sample: object): HistoryView;
  rates(view: HistoryView, name: string, nowMs: number): { accept: number; drain: number } | null;
  chartOf(
    view: HistoryView,
    name: string,
    nowMs: number,
  ): { at: number[]; head: number[]; mark: number[] };
};
type Scale = {
  roundUp(value: number): number;
  axis(highest: number): number[];
  scale(from: number[], to: number[]): (value: number) => number;
  linePath(xs: number[], ys: number[]): string;
  areaPath(xs: number[], a: number[], b: number[]): string;
};
const load = <T>(name: string) => import(/* @vite-ignore */ join(folder, name)) as Promise<T>;
const sse = await load<Sse>('feed/sse.js');
const format = await load<Format>('parts/format.js');
const history = await load<History>('feed/history.js');
const chart = await load<Scale>('parts/chart-scale.js');
const advice = await load<{ adviceOf(status: object): string }>('views/advice.js');

test('the page weighs less than 150 kB in all, needs nothing from elsewhere, and no inline script or style', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(?:html|js|css|svg)$/.test(name),
  );
  expect(files).toEqual(expect.arrayContaining(['index.html', 'main.js', 'style.css']));
  expect(files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)).toBeLessThan(
    150_000,
  );
  const text = files
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')
    .replaceAll('http://www.w3.org/2000/svg', '');
  expect(text.match(/(?:https?:)?\/\/[a-z0-9-]+\.[a-z]{2,}/gi)).toBeNull();
  const html = readFileSync(join(folder, 'index.html'), 'utf8');
  expect(html).not.toMatch(/\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)/);
  expect(text).not.toMatch(/\.innerHTML|insertAdjacentHTML|\beval\(|new Function\(/);
});

describe('server-sent events', () => {
  test('are whole, whatever the pieces they come in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('status', 'beat', 'sample'), fc.json())),
        fc.array(fc.nat(40)),
        (events, cuts) => {
          const text = events.map(([name, data]) => `event: ${name}\ndata: ${data}\n\n`).join('');
          const got: [string, string][] = [];
          const read = sse.eventReader((name, data) => got.push([name, data]));
          let at = 0;
          for (const cut of cuts) {
            read(text.slice(at, at + cut));
            at += cut;
          }
          read(text.slice(at));
          expect(got).toEqual(events);
        },
      ),
    );
  });
});

describe('numbers as people read them', () => {
  test('spans have two units at most, bytes three digits, and what is not there a dash', () => {
    expect(
      [0.25, 9.94, 42, 250, 3_600, 7_265, 90_061, 31_536_000 + 86_400].map((value) =>
        format.span(value),
      ),
    ).toEqual(['0.3 s', '9.9 s', '42 s', '4 min 10 s', '1 h', '2 h 1 min', '1 d 1 h', '1 y 1 d']);
    expect([0, 1023, 1024, 1_572_864, 17_179_869_184].map((value) => format.bytes(value))).toEqual([
      '0 bytes',
      '1,023 bytes',
      '1 KiB',
      '1.5 MiB',
      '16 GiB',
    ]);
    expect([
      format.count(1_234_567),
      format.count(Number.NaN),
      format.age(0),
      format.span(-1),
      format.rate(null),
      format.rate(12.345),
    ]).toEqual(['1,234,567', '-', 'none', '-', 'not known yet', '12.3 a second']);
    expect([format.timeToFull(null), format.timeToFull(0), format.timeToFull(90)]).toEqual([
      'not in sight',
      'full',
      '1 min 30 s',
    ]);
    expect([format.time(null), format.time('x')]).toEqual(['-', '-']);
    const noon = new Date(2026, 0, 2, 12, 0, 0).getTime();
    expect([format.time(noon, noon), format.time(noon, noon + 86_400_000)]).toEqual([
      '12:00:00',
      '2026-01-02 12:00:00',
    ]);
    expect(
      ['6f9619ff-8b86-d011-b42d-00c04fc964ff', 'wi-1'].map((text) => format.isGuid(text)),
    ).toEqual([true, false]);
  });
});

describe('the history on the page', () => {
  const empty: HistoryView = {
    SampleMs: 2_000,
    At: [],
    Queue: { Accepted: [], Settled: [], Pending: [] },
    Manifest: { Accepted: [], Settled: [], Pending: [] },
  };
  const sample = (At: number, accepted: number, settled: number) => {
    const level = { Accepted: accepted, Settled: settled, Pending: accepted - settled };
    return { At, Queue: level, Manifest: { Accepted: 0, Settled: 0, Pending: 0 } };
  };

  test('rates are those of the last seconds, and zero when nothing was said for longer', () => {
    expect(history.rates(empty, 'Queue', 0)).toBeNull();
    let view = empty;
    for (let n = 0; n <= 30; n += 1)
      view = history.withSample(view, sample(n * 2_000, n * 20, n * 10));
    expect(history.rates(view, 'Queue', 60_000)).toEqual({ accept: 10, drain: 5 });
    expect(history.rates(view, 'Manifest', 60_000)).toEqual({ accept: 0, drain: 0 });
    expect(history.rates(view, 'Queue', 90_000)).toEqual({ accept: 0, drain: 0 });
  });

  test('a silence is flat, not a slope; old samples go; one that is not newer is left out', () => {
    let view = history.withSample(history.withSample(empty, sample(0, 5, 5)), sample(60_000, 9, 5));
    expect([view.At, view.Queue.Accepted]).toEqual([
      [0, 58_000, 60_000],
      [5, 5, 9],
    ]);
    expect(history.withSample(view, sample(60_000, 1, 1))).toBe(view);
    for (let n = 0; n < 2_000; n += 1)
      view = history.withSample(view, sample(62_000 + n * 2_000, 9 + n, 5));
    expect([view.At.length, view.Queue.Settled.length, view.Manifest.Pending.length]).toEqual([
      900, 900, 900,
    ]);
    expect(history.chartOf(view, 'Queue', (view.At.at(-1) ?? 0) + 5_000)).toMatchObject({
      at: { length: 901 },
      head: { length: 901 },
      mark: { length: 901 },
    });
  });

  test('an axis holds its highest value, and a path is never longer than the chart is wide', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (highest) => {
        const steps = chart.axis(highest);
        expect(steps.at(-1)).toBeGreaterThanOrEqual(highest);
        expect(steps.every(Number.isInteger)).toBe(true);
      }),
    );
    expect([0, 1, 3, 7, 11, 480].map((value) => chart.roundUp(value))).toEqual([
      1, 1, 5, 10, 20, 500,
    ]);
    const xs = Array.from({ length: 50_000 }, (_, n) => n / 100);
    const path = chart.linePath(
      xs,
      xs.map((x) => Math.sin(x) * 100),
    );
    expect(path.match(/[ML]/g)?.length).toBeLessThan(2 * 502);
    expect(chart.linePath([0, 10, 20, 30, 40], [5, 5, 5, 5, 1])).toBe('M0 5L30 5L40 1');
    expect(chart.areaPath([0, 10], [1, 1], [2, 2])).toBe('M0 1L10 1L10 2L0 2Z');
  });
});

test('each state says whether something is lost and what to do; where there is nothing to do, nothing', () => {
  const said = (State: string, Queue: object) =>
    advice.adviceOf({ State, Queue: { AssignedBeaconID: 'db-1', IsPaused: false, ...Queue } });
  expect(said('bootstrapped', {})).toBe('');
  expect(said('bootstrapped', { IsPaused: true })).toMatch(/until delivery is resumed/);
  expect(said('waiting-for-beacon', {})).toMatch(/^Nothing is lost.*when db-1 is back. Start it/);
  expect(said('unassigned', { AssignedBeaconID: null })).toMatch(/^Nothing is lost.*Assign/);
  expect(said('error', {})).toMatch(/^Nothing is lost.*Mend/);
  expect(said('bootstrapping', {})).toMatch(/by itself/);
});
