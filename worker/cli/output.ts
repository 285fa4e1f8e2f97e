/** How the command line speaks: results on stdout, everything about the run on stderr. */

/** One line of a result. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The result as one JSON document. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** A reader that has seen enough (`| head`) is no reason to fail, and none for `up` to stop. */
export function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}

/** Something for people about the run itself. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export type Cell = string | number | null | undefined;

/** Any value in one cell. */
export function cellOf(value: unknown): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell);
}

/** Rows under their headings, in columns as wide as their widest cell; numbers to the right. An empty table says so. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[], empty = '(none)'): string {
  if (rows.length === 0) return empty;
  const cells = rows.map((row) => row.map(shown));
  const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const isNumeric = headings.map((_, at) => rows.every((row) => typeof row[at] === 'number'));
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (isNumeric[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  ').trimEnd();
  return [line(headings), ...cells.map(line)].join('\n');
}

/** Names and values below each other. */
export function facts(pairs: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}`).join('\n');
}

function shown(value: Cell): string {
  if (value === null || value === undefined || value === '') return '-';
  return String(value).replace(/\s+/g, ' ');
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
