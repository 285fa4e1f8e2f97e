/** Reads a recorded trace, plain or gzipped, as a stream of lines, never whole. */
import { createReadStream, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';

export type TraceLine = {
  /** Counted from 1. */
  number: number;
  text: string;
};

const newLine = 0x0a;

/**
 * The lines of a file. Empty lines are left out but still counted.
 * @throws TidemarkError NOT_THERE for a missing file, TOO_LARGE for a line no write could have,
 * REJECTED when it cannot be read to the end
 */
export async function* readTrace(path: string): AsyncGenerator<TraceLine> {
  checkTrace(path);
  let number = 0;
  try {
    for await (const text of splitLines(await openTrace(path), path)) {
      number += 1;
      if (text !== '') yield { number, text };
    }
  } catch (cause) {
    if (cause instanceof TidemarkError) throw cause;
    throw new TidemarkError(
      'REJECTED',
      `${path}: not readable after line ${number}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** @throws TidemarkError NOT_THERE when the file is missing or is a folder */
export function checkTrace(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory())
    throw new TidemarkError('NOT_THERE', `${path} is a folder; name the trace files in it`);
  if (found?.isFile()) return;
  throw new TidemarkError('NOT_THERE', `${path}: there is no such trace file`);
}

async function openTrace(path: string): Promise<AsyncIterable<Buffer>> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  if (!(await isGzip(path))) return file;
  const plain = createGunzip({ chunkSize: 256 * 1024 });
  file.once('error', (error) => plain.destroy(error));
  return file.pipe(plain);
}

/** Checks the first two bytes; the file name may mislead. */
async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

/**
 * Splits at line feeds only. `node:readline` also splits at U+2028, which JSON text may contain.
 */
async function* splitLines(chunks: AsyncIterable<Buffer>, path: string): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  const lineOf = (last: Buffer) => {
    const whole = pieces.length === 0 ? last : Buffer.concat([...pieces, last]);
    pieces = [];
    bytes = 0;
    return whole.toString('utf8').trim();
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(newLine); at >= 0; at = chunk.indexOf(newLine, from)) {
      yield lineOf(chunk.subarray(from, at));
      from = at + 1;
    }
    if (from === chunk.length) continue;
    pieces.push(chunk.subarray(from));
    bytes += chunk.length - from;
    if (bytes > 2 * limits.bodyBytesMax)
      throw new TidemarkError(
        'TOO_LARGE',
        `${path}: a line of more than ${bytes} bytes is not a recorded call`,
      );
  }
  if (pieces.length > 0) yield lineOf(Buffer.alloc(0));
}
