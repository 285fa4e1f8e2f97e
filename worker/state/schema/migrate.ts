/**
 * Brings state.db to the present schema. Each step is one transaction, together with its version
 * and its row in schema_history.
 */
import { createHash } from 'node:crypto';
import { TidemarkError } from '../../../contracts/errors.ts';
import { isoOf, systemClock } from '../../../runtime/clock.ts';
import type { Connection } from '../connection.ts';
import { type SchemaStep, migrations } from './migrations.ts';

export function versionOf(db: Connection): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/**
 * Runs the missing steps and returns how many there were.
 * @throws TidemarkError NEWER_SCHEMA when another program made the file; nothing was written then
 */
export function migrate(db: Connection, steps: readonly SchemaStep[] = migrations): number {
  const target = steps.at(-1)?.version ?? 0;
  assertKnown(db, steps, target);
  return steps.filter((step) => runStep(db, step)).length;
}

export function checksumOf(step: SchemaStep): string {
  return createHash('sha256').update(step.sql).digest('hex');
}

function runStep(db: Connection, step: SchemaStep): boolean {
  if (versionOf(db) >= step.version) return false;
  const foreignKeys = db.pragma('foreign_keys', { simple: true });
  // With foreign keys on, dropping the old parent table would delete its children. Inside a
  // transaction this pragma does nothing.
  if (step.isRebuild) db.pragma('foreign_keys = off');
  try {
    return db
      .transaction(() => {
        // Read again under the write lock: of several processes only one runs a step.
        if (versionOf(db) >= step.version) return false;
        db.exec(step.sql);
        db.exec(
          'create table if not exists schema_history (version integer primary key, name text ' +
            'not null, sha256 text not null, applied_at text not null) strict',
        );
        db.prepare('insert into schema_history values (?, ?, ?, ?)').run(
          step.version,
          step.name,
          checksumOf(step),
          isoOf(systemClock.nowMs()),
        );
        raiseMinimum(db, 'min_writer', step.oldestWriter ?? step.version);
        raiseMinimum(db, 'min_reader', step.oldestReader ?? step.version);
        db.pragma(`user_version = ${step.version}`);
        if (step.isRebuild) assertNoOrphans(db, step);
        return true;
      })
      .immediate();
  } finally {
    if (step.isRebuild) db.pragma(`foreign_keys = ${String(foreignKeys)}`);
  }
}

function assertNoOrphans(db: Connection, step: SchemaStep): void {
  const orphans = db.pragma('foreign_key_check') as unknown[];
  if (orphans.length > 0)
    throw new TidemarkError(
      'STORAGE_FAILED',
      `schema step ${step.version} (${step.name}) would leave ${orphans.length} rows ` +
        'without what they refer to; nothing was changed',
    );
}

/** Checks that our own steps made the file, and that this program may write its schema. */
function assertKnown(db: Connection, steps: readonly SchemaStep[], target: number): void {
  const version = versionOf(db);
  if (version === 0) return;
  const history = db
    .prepare<[], { version: number; sha256: string }>(
      'select version, sha256 from schema_history order by version',
    )
    .all();
  if (history.at(-1)?.version !== version || history.length !== version) {
    throw new TidemarkError(
      'NEWER_SCHEMA',
      `state.db says schema ${version}, its history says ` +
        `${history.map((row) => row.version).join(', ') || 'nothing'}; it was changed by ` +
        'hand, restore it from a backup',
    );
  }
  const drifted = history.find((row) =>
    steps.some((step) => step.version === row.version && checksumOf(step) !== row.sha256),
  );
  if (drifted)
    throw new TidemarkError(
      'NEWER_SCHEMA',
      `state.db was made by a program whose schema step ${drifted.version} is another ` +
        `than this one's; use that program, or another --data`,
    );
  if (version > target && minimum(db, 'min_writer', version) > target) {
    throw new TidemarkError(
      'NEWER_SCHEMA',
      `state.db has schema ${version}, this program knows ${target}; use the newer program, or another --data`,
    );
  }
}

/**
 * Done here and not in each step: a step that forgot it would let older programs write what they do
 * not understand.
 */
function raiseMinimum(db: Connection, name: 'min_writer' | 'min_reader', version: number): void {
  db.prepare(
    'insert into meta values (?, ?) on conflict (name) do update set value = ' +
      'max(cast(value as integer), cast(excluded.value as integer))',
  ).run(name, String(version));
}

/**
 * The oldest schema whose programs may write (or read) this file. A file without the value in meta
 * requires its own version.
 */
export function minimum(
  db: Connection,
  name: 'min_writer' | 'min_reader',
  version: number,
): number {
  const value = db
    .prepare<[string], string>('select value from meta where name = ?')
    .pluck()
    .get(name);
  return value === undefined ? version : Number(value);
}
