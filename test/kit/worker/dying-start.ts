/**
 * A process that starts on a data directory and ends: `node dying-start.ts <data> <step>`. It is
 * killed by SIGKILL right before that step, which is a statement that is run or a change of a
 * folder; with step 0 it lives, and says how many there were.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import Database from 'better-sqlite3';
import { openStore } from '../../../worker/state/open/open-store.ts';

const [dataDir = '', last = '0'] = process.argv.slice(2);
let steps = 0;

function step(): void {
  steps += 1;
  if (steps === Number(last)) process.kill(process.pid, 'SIGKILL');
}

const prepare = Reflect.get(Database.prototype, 'prepare') as (
  this: Database.Database,
  sql: string,
) => object;
Reflect.set(Database.prototype, 'prepare', function counted(this: Database.Database, sql: string) {
  const statement = prepare.call(this, sql) as { run: (...values: unknown[]) => unknown };
  const run = statement.run.bind(statement);
  statement.run = (...values) => {
    step();
    return run(...values);
  };
  return statement;
});

for (const name of ['renameSync', 'mkdirSync', 'rmSync', 'writeFileSync'] as const) {
  const original = fs[name] as (...args: unknown[]) => unknown;
  Object.assign(fs, {
    [name]: (...args: unknown[]) => {
      step();
      return original(...args);
    },
  });
}
syncBuiltinESMExports();

openStore(dataDir).close();
process.stdout.write(String(steps));
