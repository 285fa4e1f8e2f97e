/**
 * The schema of state.db, as numbered steps. Append only: `migrations.lock.json` holds the checksum
 * of each released step, so never change a byte of its file in `steps/`. A step is SQL that runs
 * whole or not at all, so it need not check what exists already.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type SchemaStep = {
  version: number;
  name: string;
  sql: string;
  /**
   * The step rebuilds a table that others refer to: foreign keys are off while it runs, and are
   * checked before it commits.
   */
  isRebuild?: boolean;
  /**
   * The oldest schema whose programs may still write or read the file after this step. The default
   * is the step's own version.
   */
  oldestWriter?: number;
  oldestReader?: number;
};

function sqlOf(step: string): string {
  return readFileSync(join(import.meta.dirname, 'steps', `${step}.sql`), 'utf8');
}

export const migrations: readonly SchemaStep[] = [
  {
    version: 1,
    name: 'journal, marks, dead letters, assignments, projection',
    sql: sqlOf('0001-journal'),
  },
  {
    version: 2,
    name: 'starts, faults, changes, operations, legacy imports, epochs of marks',
    oldestReader: 1,
    sql: sqlOf('0002-starts-changes-operations'),
  },
  {
    version: 3,
    name: 'trace context of entries, who did what',
    oldestWriter: 2,
    oldestReader: 1,
    sql: sqlOf('0003-traces-and-operators'),
  },
  {
    version: 4,
    name: 'the database a tag chose',
    oldestWriter: 2,
    oldestReader: 1,
    sql: sqlOf('0004-tag-choice'),
  },
  {
    version: 5,
    name: 'bodies apart from what stays, dedup horizon, what is held counted',
    sql: sqlOf('0005-bodies-apart'),
  },
  {
    version: 6,
    name: 'who accepted an entry, and what a later owner superseded',
    oldestReader: 5,
    sql: sqlOf('0006-owners'),
  },
];

export const schemaVersion = migrations.length;
