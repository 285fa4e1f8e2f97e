/**
 * How the tests run: real servers and processes on a small machine, so few at once, and with
 * patience.
 */
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// oxlint-disable-next-line import/no-default-export -- vitest reads its configuration from the default export.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/kit/global-setup.ts'],
    // Hundreds of processes are started; without it each spends half of its start on compiling the
    // same files.
    env: {
      NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'tidemark-compile'),
    },
    pool: 'forks',
    // One more than the smallest machine has cores: most tests wait for processes most of the time.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});
