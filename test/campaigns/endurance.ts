/**
 * Endurance campaign: `node test/campaigns/endurance.ts [entries] [seed] [--days 30]`: a month of
 * traffic compressed, on the real store; prints a row for each simulated day, and exits 1 when
 * anything grows from the third day on, slows down, or stalls (I13). With `--processes <seconds>`
 * on real processes instead, as fast as they can, with a row for each tenth of the time.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Endurance, keptFor } from '../kit/endurance/days.ts';
import { grown, slowed } from '../kit/endurance/figures.ts';
import { syncTimeEnv } from '../kit/endurance/sync-layer.ts';
import { grownIn, ProcessEndurance } from '../kit/endurance/processes.ts';
import { headLine, rowOf } from '../kit/endurance/table.ts';
import { SyncTime } from '../kit/endurance/turns.ts';
import { tempDir } from '../kit/temp-dir.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { days: { type: 'string', default: '30' }, processes: { type: 'string' } },
});
const [entries = '20000000', seed = '1'] = positionals;

using dir = tempDir('endurance');
const syncFile = process.env['TIDEMARK_SYNC_TIME'];
if (values.processes !== undefined) {
  process.exitCode = (await onProcesses(Number(values.processes))) ? 0 : 1;
} else if (syncFile === undefined) {
  // Once more, with its syncs timed.
  const { status } = spawnSync(process.execPath, process.argv.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, ...syncTimeEnv(dir.at('sync-time')) },
  });
  process.exitCode = status ?? 1;
} else {
  process.exitCode = (await run(syncFile)) ? 0 : 1;
}

async function run(syncFile: string): Promise<boolean> {
  const sync = new SyncTime(syncFile);
  const startedMs = performance.now();
  line(headLine());
  const endurance = new Endurance({
    dataDir: dir.path,
    entries: Number(entries),
    days: Number(values.days),
    seed: Number(seed),
    keep: keptFor,
    sync,
    onDay: (day) => line(rowOf(day)),
    onProgress,
    onFault: (what) => line(`FAULT ${what}`),
  });
  const days = await endurance.run();
  const bad = [...endurance.faults, ...grown(days), ...slowed(days)];
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  line(`${days.at(-1)?.written ?? 0} writes in ${seconds} s`);
  for (const what of bad) line(`BAD ${what}`);
  line(bad.length === 0 ? 'flat from the third day' : `not flat: ${bad.length} findings`);
  return bad.length === 0;
}

async function onProcesses(seconds: number): Promise<boolean> {
  const { tenths, difference } = await ProcessEndurance.run(seconds, Number(seed), (tenth) =>
    line(JSON.stringify(tenth)),
  );
  const grown = grownIn(tenths, seconds);
  const refused = tenths.at(-1)?.refused ?? 0;
  const bad = [
    ...(grown ?? []),
    ...(difference === 0 ? [] : [`the balance differs by ${difference}`]),
    ...(refused === 0 ? [] : [`${refused} writes were refused`]),
  ];
  for (const what of bad) line(`BAD ${what}`);
  if (bad.length === 0) line(grown === null ? 'too short to tell growth' : 'flat');
  return bad.length === 0;
}

function onProgress(day: number, share: number, accepted: number): void {
  if (process.stderr.isTTY)
    process.stderr.write(`\rday ${day} ${Math.round(share * 100)} %, ${accepted} writes `);
}

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}
