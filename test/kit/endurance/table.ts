/** The figures of the days as a table for people. */
import { type DayFigures, stepsOf } from './figures.ts';

const MiB = 2 ** 20;
const heads = [
  ['day', 3, ({ day }) => String(day)],
  ['written', 9, ({ written }) => String(written)],
  ['db MiB', 7, ({ fileBytes }) => (fileBytes / MiB).toFixed(1)],
  ['wal', 6, ({ walBytes }) => (walBytes / MiB).toFixed(1)],
  ['known', 9, ({ rows }) => String(rows.known)],
  ['bodies', 8, ({ rows }) => String(rows.queue_body + rows.manifest_body)],
  ['held', 6, ({ rows }) => String(rows.held)],
  ['projected', 9, ({ rows }) => String(rows.projected)],
  ['delivery', 8, ({ rows }) => String(rows.delivery)],
  ['changes', 7, ({ rows }) => String(rows.change_log)],
  ['rss MiB', 7, ({ memoryBytes }) => (memoryBytes / MiB).toFixed(0)],
  ['heap', 6, ({ heapBytes }) => (heapBytes / MiB).toFixed(1)],
  ['accept/s', 8, ({ acceptedPerSecond }) => String(acceptedPerSecond)],
  ['drain/s', 7, ({ drainedPerSecond }) => String(drainedPerSecond)],
  ['faults', 6, ({ faults }) => String(faults)],
  ['step ms', 28, ({ longestStep: { cpuMs, name } }) => `${cpuMs.toFixed(1)} ${name}`.slice(0, 28)],
  ['turn ms', 7, ({ longestTurn }) => longestTurn.cpuMs.toFixed(1)],
] as const satisfies readonly (readonly [string, number, (day: DayFigures) => string])[];

export function headLine(): string {
  return heads.map(([name, width]) => name.padStart(width)).join(' ');
}

export function rowOf(day: DayFigures): string {
  const cells = heads.map(([, width, of]) => of(day).padStart(width));
  return `${cells.join(' ')}  (${stepsOf(day.longestTurn)})`;
}
