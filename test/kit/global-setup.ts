/** What every test run needs before it starts: a Node that runs TypeScript, and real servers. */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSystemAt } from '../../worker/state/open/file-system.ts';
import { openTemplates } from './servers/database-server.ts';
import { natsBinary } from './servers/nats.ts';

/**
 * @returns what to do after the last test
 * @throws Error or TidemarkError with a line on what to do.
 */
export function setup(): () => void {
  const [major = '0'] = process.versions.node.split('.');
  if (Number(major) < 24)
    throw new Error(
      `the tests need Node 24 or newer, this is ${process.versions.node}; run them with npm test after npm ci`,
    );
  // A worker refuses a data directory in memory, and temporary folders are there on some machines.
  if (fileSystemAt(tmpdir()).is === 'memory') {
    const onDisk = join(import.meta.dirname, '..', '..', 'node_modules', '.tidemark-tests');
    mkdirSync(onDisk, { recursive: true });
    process.env['TMPDIR'] = onDisk;
  }
  natsBinary();
  return openTemplates();
}
