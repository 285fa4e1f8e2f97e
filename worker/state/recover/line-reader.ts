/** Reads a file line by line and never holds all of it: an export may be larger than memory. */
import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

export type Line = { number: number; text: string };

const chunkBytes = 1 << 20;

/** Lines that are not blank, numbered from 1. @throws what the file system throws */
export function* readLines(path: string): Generator<Line> {
  const fd = openSync(path, 'r');
  try {
    const decoder = new StringDecoder('utf8');
    const chunk = Buffer.alloc(chunkBytes);
    let number = 0;
    let rest = '';
    for (;;) {
      const bytes = readSync(fd, chunk, 0, chunkBytes, null);
      const lines = (
        rest + (bytes === 0 ? decoder.end() : decoder.write(chunk.subarray(0, bytes)))
      ).split('\n');
      rest = bytes === 0 ? '' : (lines.pop() ?? '');
      for (const text of lines) {
        number += 1;
        if (text.trim() !== '') yield { number, text };
      }
      if (bytes === 0) return;
    }
  } finally {
    closeSync(fd);
  }
}
