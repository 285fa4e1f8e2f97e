/**
 * `npm run migrations:freeze`: writes the checksums of all schema steps into the lock file. Run it
 * for a release; a frozen step is never changed again.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checksumOf } from '../worker/state/schema/migrate.ts';
import { migrations } from '../worker/state/schema/migrations.ts';

const path = join(import.meta.dirname, '..', 'worker', 'state', 'schema', 'migrations.lock.json');
const frozen = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
for (const step of migrations) {
  const before = frozen[String(step.version)];
  if (before !== undefined && before !== checksumOf(step)) {
    console.error(
      `step ${step.version} was released with another text; undo the change and add a new step`,
    );
    process.exit(1);
  }
  frozen[String(step.version)] = checksumOf(step);
}
writeFileSync(path, `${JSON.stringify(frozen, null, 2)}\n`);
console.log(`${Object.keys(frozen).length} steps are frozen`);
