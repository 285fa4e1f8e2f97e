/** The traces that come with the package. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TidemarkError } from '../../contracts/errors.ts';
import { readTrace } from '../publish/trace-file.ts';

/**
 * Their paths: two folders up in the sources, three in the build.
 * @throws TidemarkError NOT_THERE
 */
export function traceFiles(): string[] {
  return ['demo-queue.jsonl', 'demo-manifest.jsonl'].map((name) => {
    const paths = ['../../examples/', '../../../examples/'].map((at) =>
      fileURLToPath(new URL(at + name, import.meta.url)),
    );
    const found = paths.find((path) => existsSync(path));
    if (!found)
      throw new TidemarkError(
        'NOT_THERE',
        `the bundled trace ${name} is not there; is the package complete?`,
      );
    return found;
  });
}

/** Number of the line in the middle of a file. */
export async function middleOf(path: string): Promise<number> {
  let last = 0;
  for await (const line of readTrace(path)) last = line.number;
  return Math.floor(last / 2);
}
