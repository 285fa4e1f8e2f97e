/** The layer of C that adds up a process's time in syncs: built when first wanted. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtLayer } from '../fault-layer/fault-layer.ts';

/** Environment of a process whose syncs are added up in a file. */
export function syncTimeEnv(file: string): Record<string, string> {
  writeFileSync(file, Buffer.alloc(16));
  return {
    LD_PRELOAD: builtLayer(join(import.meta.dirname, 'sync-time.c')),
    TIDEMARK_SYNC_TIME: file,
  };
}
