/**
 * The only writer to stdout and stderr. Control characters in names and texts never reach the
 * terminal; only our own colours do.
 */
import { visible } from '../../runtime/visible.ts';

/** Matches the styles of colour.ts. The worst a planted one can do is to colour text. */
// eslint-disable-next-line no-control-regex
const ownStyle = /(\u001b\[(?:1|2|22|31|32|33|36|39)m)/;

/** Makes text safe for a terminal. */
export function safe(text: string): string {
  return text
    .split(ownStyle)
    .map((part) => (ownStyle.test(part) ? part : visible(part)))
    .join('');
}

/** False when the reader is slow: `drained` then resolves once it takes more. */
export function writeOut(text: string): boolean {
  return process.stdout.write(safe(text));
}

export function drained(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once('drain', resolve);
  });
}

export function writeErr(text: string): void {
  process.stderr.write(safe(text));
}

/** A stream whose current line can be overwritten. */
export type Out = {
  isTerminal: boolean;
  columns: number;
  /** Writes text unchanged. */
  write: (text: string) => void;
};

export function stderrOut(): Out {
  const { stderr } = process;
  return {
    isTerminal: stderr.isTTY === true,
    columns: stderr.columns > 0 ? stderr.columns : 80,
    write: (text) => void stderr.write(text),
  };
}

/** Replaces the current line of a terminal. */
export function overwriting(text: string): string {
  return `\r\u001b[K${safe(text)}`;
}

/** A reader that closes the pipe (`| head`) must neither cause a failure nor stop `up`. */
export function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
