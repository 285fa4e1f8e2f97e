/**
 * The full recorded traffic through the drop-in bridges with kills, by hand: `node
 * test/campaigns/dropin.ts [worker kills] [bus kills]`. Prints the report; exit 1 when something is
 * wrong.
 */
import { dropinRun } from '../kit/processes/dropin-run.ts';
import { readTrace, traceFiles, writeMethods } from '../kit/rows/trace.ts';

const [workerKills = 20, busKills = 5] = process.argv.slice(2).map(Number);
const files = traceFiles('full').length > 0 ? traceFiles('full') : traceFiles('bundled');
const calls = files.flatMap(readTrace).filter((call) => writeMethods.has(call.method));
const report = await dropinRun({ calls, workerKills, busKills, drainMs: 600_000 });
console.log(JSON.stringify({ calls: calls.length, ...report }, null, 2));
process.exit(
  report.failed.length + report.comparison.differences + report.overtaken.length === 0 ? 0 : 1,
);
