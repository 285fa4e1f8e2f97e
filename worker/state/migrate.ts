/** Brings state.db to the present schema: each step in one transaction with its version and its row of history. */
import { createHash } from 'node:crypto';
import { TidemarkError } from '../../contracts/errors.ts';
import { isoOf, systemClock } from '../../runtime/clock.ts';
import type { Connection } from './connection.ts';
import { type Migration, migrations } from './migrations.ts';

export function versionOf(db: Connection): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/** @throws TidemarkError NEWER_SCHEMA when a newer program made it */
export function migrate(db: Connection, steps: readonly Migration[] = migrations): void {
  const target = steps.at(-1)?.version ?? 0;
  if (versionOf(db) > target) {
    throw new TidemarkError('NEWER_SCHEMA', `state.db has schema ${versionOf(db)}, this program knows ${target}; use the newer program, or another --data`);
  }
  for (const step of steps) {
    // Read again under the write lock: of several processes only one runs a step.
    db.transaction(() => {
      if (versionOf(db) >= step.version) return;
      db.exec(step.sql);
      db.exec('create table if not exists schema_history (version integer primary key, name text not null, sha256 text not null, applied_at text not null) strict');
      db.prepare('insert into schema_history values (?, ?, ?, ?)').run(step.version, step.name, checksumOf(step), isoOf(systemClock.nowMs()));
      db.pragma(`user_version = ${step.version}`);
    }).immediate();
  }
}

export function checksumOf(step: Migration): string {
  return createHash('sha256').update(step.sql).digest('hex');
}
