/**
 * Kill campaign: the full recorded traffic, with worker, databeacon and nats-server killed at least
 * twenty times each, and the figures as JSON. `node test/campaigns/kill.ts [killsEach] [seed]
 * [--only worker] [--engine postgresql|mariadb]`; `--only` kills one of them, quickly after one
 * another; with an engine its server is killed too; exits 1 when anything is missing, doubled,
 * different or out of order.
 */
import { parseArgs } from 'node:util';
import { killRun, type Victim } from '../kit/processes/kill-run.ts';
import { TestMariadb } from '../kit/servers/mariadb.ts';
import { TestPostgres } from '../kit/servers/postgres.ts';
import type { TestDatabase } from '../kit/servers/test-database.ts';
import { readTrace, traceFiles, writeMethods } from '../kit/rows/trace.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, engine: { type: 'string' } },
});
const [killsEach = '20', seed = String(Date.now() % 100_000)] = positionals;
const chosen = values.only === undefined ? {} : { only: [values.only as Victim], isQuick: true };
const files = traceFiles('full').length > 0 ? traceFiles('full') : traceFiles('bundled');
const calls = files.flatMap(readTrace).filter((call) => writeMethods.has(call.method));

const servers: Record<string, () => Promise<TestDatabase>> = {
  postgresql: () => TestPostgres.start(),
  mariadb: () => TestMariadb.start(),
};
const server = await servers[values.engine ?? '']?.();
const { accepted, ...report } = await killRun({
  ...(server ? { server } : {}),
  calls,
  killsEach: Number(killsEach),
  seed: Number(seed),
  drainMs: 300_000,
  ...chosen,
});
const isGood =
  accepted.length === calls.length &&
  report.refused.length === 0 &&
  report.comparison.differences === 0 &&
  report.order.length === 0 &&
  report.sharedSeqs === 0 &&
  report.marksFaults.length === 0 &&
  Object.values(report.balance).every((lane) => lane.Difference === 0);
await server?.[Symbol.asyncDispose]();
console.log(JSON.stringify({ good: isGood, accepted: accepted.length, ...report }, null, 2));
process.exit(isGood ? 0 : 1);
