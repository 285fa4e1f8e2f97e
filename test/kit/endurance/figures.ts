/**
 * The figures of a simulated day, and whether those of a whole campaign are flat from the third day
 * on (I13).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Local } from '../../../worker/journal/local.ts';
import type { Step, Turn, Turns } from './turns.ts';

/** Tables that see traffic; what is left out holds settings. */
export const tables = [
  'known',
  'queue_body',
  'manifest_body',
  'held',
  'released',
  'projected',
  'delivery',
  'change_log',
  'refused',
] as const;

export type DayFigures = {
  day: number;
  written: number;
  fileBytes: number;
  walBytes: number;
  rows: Record<(typeof tables)[number], number>;
  parked: number;
  memoryBytes: number;
  heapBytes: number;
  longestStep: Step;
  longestTurn: Turn;
  /** While the beacon was away, and once it was back. */
  acceptedPerSecond: number;
  drainedPerSecond: number;
  faults: number;
};

type Rate = { writes: number; ms: number };

export function figuresOf(of: {
  day: number;
  local: Local;
  turns: Turns;
  accepting: Rate;
  draining: Rate;
  written: number;
  parked: number;
  faults: number;
}): DayFigures {
  const { local, turns, accepting, draining, ...figures } = of;
  const { longest: longestTurn, longestStep } = turns;
  const { store } = local;
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  const count = (table: string) =>
    Number(store.db.prepare(`select count(*) from ${table}`).pluck().get());
  return {
    ...figures,
    longestTurn,
    longestStep,
    fileBytes: store.bytes() - store.logBytes(),
    walBytes: store.logBytes(),
    rows: Object.fromEntries(tables.map((table) => [table, count(table)])) as DayFigures['rows'],
    memoryBytes: rss,
    heapBytes: heapUsed,
    acceptedPerSecond: perSecond(accepting),
    drainedPerSecond: perSecond(draining),
  };
}

function perSecond({ writes, ms }: Rate): number {
  return ms === 0 ? 0 : Math.round((writes / ms) * 1000);
}

let gc: (() => void) | null = null;

/** Twice: what the first run finds unreachable may hold others. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  gc ??= runInNewContext('gc') as () => void;
  gc();
  gc();
}

/** From this day on nothing may grow. */
const steadyDay = 3;
const bounds = { growth: 1.1, stepMs: 20, turnMs: 50 };

/** What must stay within a tenth, and how much of it is no growth however little there was. */
const measures: readonly (readonly [string, number, (day: DayFigures) => number])[] = [
  ['file and log', 2 ** 21, ({ fileBytes, walBytes }) => fileBytes + walBytes],
  ...tables.map(
    (table) => [`rows of ${table}`, 600, ({ rows }: DayFigures) => rows[table]] as const,
  ),
];

/** Sizes that grew from the third day on; empty when they are flat. */
export function grown(days: readonly DayFigures[]): string[] {
  return measures.flatMap(([what, slack, of]) => growth(days, what, slack, of));
}

function growth(
  days: readonly DayFigures[],
  what: string,
  slack: number,
  of: (day: DayFigures) => number,
): string[] {
  const steady = days.filter(({ day }) => day >= steadyDay).map(of);
  const [first = 0] = steady;
  const most = Math.max(...steady);
  return most <= Math.max(first * bounds.growth, first + slack)
    ? []
    : [`${what}: ${first} on the third day, up to ${most} after`];
}

/** What of time and memory was not as it should be: for a machine that does nothing else. */
export function slowed(days: readonly DayFigures[]): string[] {
  const stalled = days.flatMap(({ day, longestStep, longestTurn }) => [
    ...(longestStep.cpuMs > bounds.stepMs
      ? [`day ${day}: a step of ${Math.round(longestStep.cpuMs)} ms (${longestStep.name})`]
      : []),
    ...(longestTurn.cpuMs > bounds.turnMs
      ? [`day ${day}: a turn of ${Math.round(longestTurn.cpuMs)} ms (${stepsOf(longestTurn)})`]
      : []),
  ]);
  return [
    ...growth(days, 'memory', 8 * 2 ** 20, ({ memoryBytes }) => memoryBytes),
    ...slowing(days, 'accepted', ({ acceptedPerSecond }) => acceptedPerSecond),
    ...slowing(days, 'drained', ({ drainedPerSecond }) => drainedPerSecond),
    ...stalled,
  ];
}

/** The last days against the first: one by one they differ by what else the machine does. */
function slowing(
  days: readonly DayFigures[],
  what: string,
  of: (day: DayFigures) => number,
): string[] {
  const some = Math.max(1, Math.floor(days.length / 4));
  const [first, last] = [days.slice(0, some), days.slice(-some)].map((part) =>
    median(part.map(of)),
  ) as [number, number];
  if (days.some((day) => of(day) === 0)) return [`${what}: not measured on every day`];
  return last * bounds.growth >= first
    ? []
    : [`${what}: ${first} a second in the first days, ${last} in the last`];
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

export function stepsOf({ steps }: Turn): string {
  return steps.map(({ name, cpuMs }) => `${name} ${cpuMs.toFixed(1)}`).join(', ');
}
