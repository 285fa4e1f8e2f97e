/** A folder of its own for one test, gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type TempDir = Disposable & {
  readonly path: string;
  /** Path of something inside. */
  at(...parts: string[]): string;
};

/** Makes one, in the system's folder for such or in another: `using dir = tempDir('what-for')`. */
export function tempDir(name = 'test', parent = tmpdir()): TempDir {
  const path = mkdtempSync(join(parent, `tidemark-${name}-`));
  return {
    path,
    at: (...parts) => join(path, ...parts),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}
