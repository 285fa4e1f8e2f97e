/**
 * A process that brings a file to the newest schema: `node migrate-process.ts <db> [<version>
 * start|middle|end]`. With a version it is killed by SIGKILL inside that step, at that place.
 */
import { openWritable } from '../../../worker/state/connection.ts';
import { migrate } from '../../../worker/state/schema/migrate.ts';
import { migrations } from '../../../worker/state/schema/migrations.ts';
import { withInside, type Place } from './broken-step.ts';

const [path = '', version, place] = process.argv.slice(2);
const db = openWritable(path);
db.function('inside', () => (process.kill(process.pid, 'SIGKILL') ? 1 : 0));
const steps =
  version === undefined ? migrations : withInside(migrations, Number(version), place as Place);
process.stdout.write(`${migrate(db, steps)}\n`);
db.close();
