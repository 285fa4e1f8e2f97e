/**
 * The one writer to stdout and stderr: what others named reaches no terminal as a control, only our
 * own colours do.
 */
import { visible } from '../../runtime/visible.ts';

/** The styles of colour.ts, on and off: whoever plants one makes text green. */
// eslint-disable-next-line no-control-regex
const ownStyle = /(\u001b\[(?:1|2|22|31|32|33|36|39)m)/;

/** As it goes to a terminal. */
export function safe(text: string): string {
  return text
    .split(ownStyle)
    .map((part) => (ownStyle.test(part) ? part : visible(part)))
    .join('');
}

/** False when the reader is slow: `drained` then says when it wants more. */
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

/** Where a line may be written over. */
export type Out = {
  isTerminal: boolean;
  columns: number;
  /** As it is. */
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

/** In place of what stands in the line of a terminal. */
export function overwriting(text: string): string {
  return `\r\u001b[K${safe(text)}`;
}

/** A reader that has seen enough (`| head`) is no reason to fail, and none for `up` to stop. */
export function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
