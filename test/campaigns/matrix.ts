/**
 * Fault matrix: every fault at every moment with either way of restarting, in real processes. `node
 * test/campaigns/matrix.ts [seed] [--fault name] [--moment name] [--restart hand|supervisor]
 * [--jobs n]`; one line a cell, then the figures; exits 1 when a cell is bad.
 */
import { parseArgs } from 'node:util';
import { type CellReport, runCell } from '../kit/faults/cell.ts';
import { cellsOf } from '../kit/faults/cells.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    fault: { type: 'string' },
    moment: { type: 'string' },
    restart: { type: 'string' },
    jobs: { type: 'string', default: '1' },
  },
});
const seed = Number(positionals[0] ?? Date.now() % 100_000);
const cells = cellsOf(seed).filter(
  ({ fault, moment, isSupervised }) =>
    (values.fault === undefined || values.fault === fault.name) &&
    (values.moment === undefined || values.moment === moment.name) &&
    (values.restart === undefined || (values.restart === 'supervisor') === isSupervised),
);
const reports: CellReport[] = [];
const started = performance.now();

async function work(): Promise<void> {
  for (let cell = cells.shift(); cell; cell = cells.shift()) {
    const report = await runCell(cell);
    reports.push(report);
    const verdict = report.complaints.length === 0 ? 'ok ' : 'BAD';
    console.log(
      `${verdict} ${report.name.padEnd(62)} answered ` +
        `${String(report.answered).padStart(5)} lost ${String(report.lost).padStart(4)} ` +
        `${String(report.seconds).padStart(5)} s  recovered in ${report.recoverySeconds} s  ` +
        `named: ${report.named.join(' ')}`,
    );
    for (const complaint of report.complaints)
      console.log(`      ${complaint.replaceAll('\n', '\n        ')}`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const bad = reports.filter(({ complaints }) => complaints.length > 0);
console.log(
  JSON.stringify(
    {
      good: bad.length === 0,
      seed,
      cells: reports.length,
      bad: bad.map(({ name }) => name),
      answered: reports.reduce((sum, one) => sum + one.answered, 0),
      lost: reports.reduce((sum, one) => sum + one.lost, 0),
      cellsWithNamedLoss: reports
        .filter((one) => one.lost > 0)
        .map(({ name, lost }) => `${name}: ${lost}`),
      seconds: Math.round((performance.now() - started) / 1000),
    },
    null,
    2,
  ),
);
process.exit(bad.length === 0 ? 0 : 1);
