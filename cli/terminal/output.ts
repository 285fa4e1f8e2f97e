/**
 * How the command line speaks: results on stdout, everything about the run on stderr; tables that
 * fit the terminal, and values as people say them.
 */
import { visible } from '../../runtime/visible.ts';
import { coloured, styled, widthOf } from './colour.ts';
import { writeErr, writeOut } from './writer.ts';

/** One line of a result. */
export function print(line: string): void {
  writeOut(`${line}\n`);
}

/** The result as one JSON document. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Something for people about the run itself. */
export function say(line: string): void {
  writeErr(`${line}\n`);
}

export type Cell = string | number | null | undefined;

/** Columns whose words are coloured by what they mean. */
const stateHeadings = new Set(['', 'state', 'result', 'level']);
/** Text narrower than this says nothing. */
const narrowest = 8;
const gap = 2;

/** Any value in one cell. */
export function cellOf(value: unknown): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell);
}

/**
 * Rows under their headings, in columns as wide as their widest cell; numbers to the right. An
 * empty table says so. What is wider than the terminal is cut at its longest texts, never in a
 * number or a state; where even that is not enough, rows go below each other.
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  empty = '(none)',
  width = widthOf(),
): string {
  if (rows.length === 0) return empty;
  const cells = rows.map((row) => headings.map((_, at) => shown(row[at])));
  const isNumeric = headings.map(
    (_, at) =>
      rows.some((row) => typeof row[at] === 'number') &&
      rows.every((row) => typeof (row[at] ?? 0) === 'number'),
  );
  const natural = headings.map((heading, at) =>
    Math.max(heading.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const widths = fitted(
    natural,
    headings.map((heading, at) =>
      isNumeric[at] || stateHeadings.has(heading)
        ? (natural[at] ?? 0)
        : Math.min(natural[at] ?? 0, Math.max(heading.length, narrowest)),
    ),
    width,
  );
  if (widths === null)
    return cells
      .map((row) => facts(headings.map((heading, at) => [heading, row[at]])))
      .join('\n\n');
  const line = (row: readonly string[], paint: (at: number, text: string) => string) =>
    row
      .map((cell, at) => {
        const room = widths[at] ?? 0;
        const text = cell.length > room ? `${cell.slice(0, room - 1)}…` : cell;
        // The last column keeps no blanks behind it, coloured ones neither.
        const isLast = at === row.length - 1;
        return paint(at, isNumeric[at] ? text.padStart(room) : isLast ? text : text.padEnd(room));
      })
      .join(' '.repeat(gap))
      .trimEnd();
  const painted = (at: number, text: string) =>
    stateHeadings.has(headings[at] ?? '') ? coloured(text) : text;
  return [
    line(headings, (_, text) => styled('bold', text)),
    ...cells.map((row) => line(row, painted)),
  ].join('\n');
}

/** Widths that fit, the widest texts cut first; null when there are none. */
function fitted(
  natural: readonly number[],
  least: readonly number[],
  width: number,
): number[] | null {
  const widths = [...natural];
  const room = width - gap * (natural.length - 1);
  const total = (of: readonly number[]) => of.reduce((sum, one) => sum + one, 0);
  if (total(least) > room) return total(natural) <= room ? widths : null;
  for (let over = total(widths) - room; over > 0; over--) {
    const spare = widths.map((one, at) => (one > (least[at] ?? 0) ? one : -1));
    const at = spare.indexOf(Math.max(...spare));
    widths[at] = (widths[at] ?? 1) - 1;
  }
  return widths;
}

/** Names and values below each other. */
export function facts(pairs: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs
    .map(
      ([name, value]) =>
        `${name.padEnd(width)}  ${/^state$/i.test(name) ? coloured(shown(value)) : shown(value)}`,
    )
    .join('\n');
}

function shown(value: Cell): string {
  if (value === null || value === undefined || value === '') return '-';
  return visible(String(value).replace(/\s+/g, ' '));
}

/** Milliseconds as people say them. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Bytes as people say them. */
export function size(bytes: number): string {
  const step = Math.min(4, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return step === 0 ? `${bytes} B` : `${(bytes / 1024 ** step).toFixed(1)} ${'KMGT'[step - 1]}iB`;
}
