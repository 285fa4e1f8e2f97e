/**
 * Migration campaign: `node test/campaigns/migrate.ts [entries] [kills]`: a store of schema 3 with
 * so many entries (about 900 bytes each) is brought over by a serving worker that is killed on the
 * way; figures as JSON; exits 1 when anything of it changed, a repeat was not known, or the file
 * grew by half, the view for reads apart, which is made anew whenever a worker rests.
 */
import { migrateRun } from '../kit/endurance/migrate-run.ts';

const [entries = 2_000_000, kills = 5] = process.argv.slice(2).map(Number);
const report = await migrateRun(entries, kills);
const isGood =
  report.faults.length === 0 && report.fileBytesMost - report.viewBytes < 1.5 * report.bytesBefore;
console.log(JSON.stringify({ good: isGood, ...report }, null, 2));
process.exit(isGood ? 0 : 1);
