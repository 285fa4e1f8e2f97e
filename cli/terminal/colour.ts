/** Colours states on a terminal by their meaning; the word itself is always shown too. */
import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';

type Style = 'green' | 'yellow' | 'red' | 'cyan' | 'dim' | 'bold';

const styles = new Map<string, Style>(
  Object.entries({
    bootstrapped: 'green',
    ok: 'green',
    applied: 'green',
    sound: 'green',
    yes: 'green',
    'waiting-for-beacon': 'yellow',
    warn: 'yellow',
    pending: 'yellow',
    skipped: 'yellow',
    interrupted: 'yellow',
    buffered: 'yellow',
    paused: 'yellow',
    bootstrapping: 'cyan',
    running: 'cyan',
    assigned: 'cyan',
    error: 'red',
    fail: 'red',
    failed: 'red',
    'dead-lettered': 'red',
    conflict: 'red',
    no: 'red',
    unassigned: 'dim',
    unknown: 'dim',
  } satisfies Record<string, Style>),
);

/**
 * Node decides for the stream: no colour into files or pipes, or with NO_COLOR or TERM=dumb;
 * FORCE_COLOR overrides.
 */
export function styled(
  style: Style,
  text: string,
  stream: NodeJS.WritableStream = process.stdout,
): string {
  return styleText(style, text, { stream });
}

/** A state in its colour. `word` may be padded, and may continue after a comma. */
export function coloured(word: string, stream: NodeJS.WritableStream = process.stdout): string {
  const style = styles.get(/^[^,\s]*/.exec(word.trim())?.[0] ?? '');
  return style === undefined ? word : styled(style, word, stream);
}

/** Columns of the terminal on stdout; unbounded when it is none. */
export function widthOf(stream: Pick<WriteStream, 'columns' | 'isTTY'> = process.stdout): number {
  return stream.isTTY && stream.columns > 0 ? stream.columns : Number.POSITIVE_INFINITY;
}
