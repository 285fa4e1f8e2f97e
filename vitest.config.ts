/**
 * How the tests run, in three projects: `unit` starts nothing, `system` with real servers and
 * processes, and `long`, which is a command of its own.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Clusters of servers, upgrades, campaigns of kills and faults, mutants, packages and images; and a browser. */
const long = [
  'test/console/{assign,looks,many,outage,token,writes}.test.ts',
  'test/conformance/{mariadb,mssql,postgresql,servers,traces}.test.ts',
  'test/deploy/{image,installed}.test.ts',
  'test/dropin/kill.test.ts',
  'test/end-to-end/{hostile,kill,kill-servers,large,servers}.test.ts',
  'test/end-to-end/foreign/*.test.ts',
  'test/endurance/*.test.ts',
  'test/end-to-end/state/{older-store,power-cut}.test.ts',
  'test/faults/*.test.ts',
  'test/packed.test.ts',
  'test/simulator/mutants.test.ts',
  'test/worker/state/recover/merge-killed.test.ts',
];

/** What a file imports that starts servers or processes, or measures this one's memory. */
const outside =
  /node:child_process|kit\/(?:processes|servers|console|deploy|faults|conformance)\/|with-bus\.ts|with-beacon\.ts/;
const all = globSync('test/**/*.test.ts', { cwd: import.meta.dirname });
const unit = all.filter(
  (file) => !outside.test(readFileSync(join(import.meta.dirname, file), 'utf8')),
);

// oxlint-disable-next-line import/no-default-export -- vitest reads its configuration from the default export.
export default defineConfig({
  test: {
    globalSetup: ['test/kit/global-setup.ts'],
    // Hundreds of processes are started; without it each spends half of its start on compiling the
    // same files.
    env: {
      NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'tidemark-compile'),
    },
    pool: 'forks',
    // Twice what the smallest machine has cores: most tests wait for processes most of the time.
    maxWorkers: 4,
    // Files share processes: a new one for each costs a fifth of the whole run.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    projects: [
      { extends: true, test: { name: 'unit', include: unit, exclude: long } },
      {
        extends: true,
        test: { name: 'system', include: ['test/**/*.test.ts'], exclude: [...unit, ...long] },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: long,
          isolate: true,
          globalSetup: ['test/kit/browser-setup.ts'],
        },
      },
    ],
  },
});
