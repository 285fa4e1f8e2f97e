/**
 * The main job on real database servers that are killed too: postmaster and mariadbd, besides
 * worker, databeacon and nats-server.
 */
import { describe, expect, test } from 'vitest';
import { killRun } from '../kit/processes/kill-run.ts';
import { TestMariadb } from '../kit/servers/mariadb.ts';
import { TestPostgres } from '../kit/servers/postgres.ts';
import type { TestDatabase } from '../kit/servers/test-database.ts';
import { sampleWrites } from '../kit/rows/trace.ts';

const seed = Number(process.env['TIDEMARK_TEST_SEED'] ?? Math.floor(Math.random() * 100_000));
const calls = sampleWrites(400);
const servers: { name: string; start: () => Promise<TestDatabase> }[] = [
  { name: 'PostgreSQL', start: () => TestPostgres.start() },
  { name: 'MariaDB', start: () => TestMariadb.start() },
];

describe.for(servers)(`$name killed at random (seed ${seed})`, ({ start }) => {
  test(
    'nothing accepted is lost, doubled or out of order (I1, I3, I5, I7, I8, I10)',
    { timeout: 240_000 },
    async () => {
      await using server = await start();
      const report = await killRun({ calls, killsEach: 1, seed, server });
      expect(report.kills).toEqual({ worker: 1, beacon: 1, nats: 1, database: 1 });
      expect(report.refused).toEqual([]);
      expect(report.accepted.length).toBe(calls.length);
      expect(report.comparison.first).toEqual([]);
      expect(report.comparison.rows).toBeGreaterThan(100);
      expect(report.order).toEqual([]);
      expect(report.sharedSeqs).toBe(0);
      expect(
        Object.values(report.balance).map((lane) => [
          lane.Difference,
          lane.Pending,
          lane.DeadLettered,
        ]),
      ).toEqual([
        [0, 0, 0],
        [0, 0, 0],
      ]);
    },
  );
});
