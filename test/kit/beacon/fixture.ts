/**
 * Databases, engines and mutations for the databeacon's tests: real SQLite files in a folder of
 * their own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { ApplyOutputs } from '../../../contracts/capability.ts';
import type { RowMutation } from '../../../contracts/mutation.ts';
import { persistenceSchema, type Scalar } from '../../../contracts/schema.ts';
import type { ApplyBatch, DefaultObject } from '../../../beacon/engine/engine.ts';
import { SqliteEngine } from '../../../beacon/engines/sqlite/engine.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';

export const hub = 'hub1';
export const now = '2026-11-21T08:00:00.000Z';

/** A folder that goes when the test ends. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-beacon-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const defaults: ReadonlyMap<string, DefaultObject> = new Map(
  persistenceSchema.Tables.map((table) => [table.Scope, table.DefaultObject ?? {}]),
);

/** An engine on a new file, closed with the test; `path` where the file shall be. */
export function openEngine(path = join(tempFolder(), 'backend.sqlite')): {
  engine: SqliteEngine;
  path: string;
} {
  const engine = new SqliteEngine(path);
  onTestFinished(() => engine.close());
  return { engine, path };
}

/** The same with the persistence schema in it. */
export async function openBackend(): Promise<{ engine: SqliteEngine; path: string }> {
  const opened = openEngine();
  await ensureSchema(opened.engine, 'ultravisor', persistenceSchema);
  return opened;
}

export function batchOf(mutations: RowMutation[], more: Partial<ApplyBatch> = {}): ApplyBatch {
  const throughSeq = Math.max(0, ...mutations.map((mutation) => mutation.Seq));
  return {
    hubId: hub,
    lane: 'queue',
    epoch: 'epoch-1',
    throughSeq,
    isBelowMark: false,
    mutations,
    defaults,
    now,
    ...more,
  };
}

export function applyTo(
  engine: SqliteEngine,
  mutations: RowMutation[],
  more: Partial<ApplyBatch> = {},
): Promise<ApplyOutputs> {
  return engine.apply(batchOf(mutations, more));
}

/** Outcomes in order. */
export function outcomesOf(outputs: ApplyOutputs): string[] {
  return outputs.Results.map((result) => result.Outcome);
}

export function workItem(
  hash: string,
  seq: number,
  set: Record<string, Scalar> = {},
  more: Partial<RowMutation> = {},
): RowMutation {
  return {
    Op: 'write',
    Table: 'UVQueueWorkItem',
    Key: { HubID: hub, WorkItemHash: hash },
    Seq: seq,
    Set: set,
    ...more,
  };
}

export function event(
  guid: string,
  seq: number,
  set: Record<string, Scalar> = {},
  more: Partial<RowMutation> = {},
): RowMutation {
  return {
    Op: 'insert',
    Table: 'UVQueueWorkItemEvent',
    Key: { EventGUID: guid },
    Seq: seq,
    Set: { HubID: hub, ...set },
    ...more,
  };
}

export function removal(hash: string, seq: number): RowMutation {
  return { Op: 'delete', Table: 'UVManifest', Key: { HubID: hub, Hash: hash }, Seq: seq, Set: {} };
}

export function manifest(hash: string, seq: number, set: Record<string, Scalar> = {}): RowMutation {
  return { Op: 'write', Table: 'UVManifest', Key: { HubID: hub, Hash: hash }, Seq: seq, Set: set };
}

/** Rows as another process sees them. */
export function rowsIn(
  path: string,
  sql: string,
  ...parameters: unknown[]
): Record<string, unknown>[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare(sql).all(...parameters) as Record<string, unknown>[];
  } finally {
    db.close();
  }
}

/** A change made by another process. */
export function execIn(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

/**
 * A database as the incumbent's gateway makes it: defaults '' and 0, no hub, no Seq, unique on the
 * hash alone.
 */
export function makeIncumbentDatabase(path: string): void {
  const db = new Database(path);
  const ours: ReadonlySet<string> = new Set([
    'HubID',
    'BridgeSeq',
    'Extra',
    'CreatedAt',
    'RequireAffinityMatch',
    'StalledAt',
  ]);
  const columns = (persistenceSchema.Tables[0]?.Schema ?? [])
    .filter((column) => !ours.has(column.Column))
    .map((column) => {
      if (column.Type === 'AutoIdentity')
        return `"${column.Column}" INTEGER PRIMARY KEY AUTOINCREMENT`;
      if (column.Type === 'String')
        return `"${column.Column}" TEXT${column.Size === 'Default' ? '' : " NOT NULL DEFAULT ''"}`;
      if (column.Type === 'Float') return `"${column.Column}" REAL`;
      return column.Type.endsWith('Date')
        ? `"${column.Column}" TEXT`
        : `"${column.Column}" INTEGER NOT NULL DEFAULT 0`;
    });
  db.exec(`CREATE TABLE "UVQueueWorkItem" (${columns.join(', ')})`);
  db.exec('CREATE UNIQUE INDEX "IX_UVQueueWorkItem_Hash" ON "UVQueueWorkItem" ("WorkItemHash")');
  db.exec('CREATE INDEX "IX_UVQueueWorkItem_Status" ON "UVQueueWorkItem" ("Status")');
  db.exec(
    'INSERT INTO "UVQueueWorkItem" ("WorkItemHash", "Status", "Settings") VALUES ' +
      `('old-1', 'Running', '{"a":1}'), ('old-2', 'Complete', NULL)`,
  );
  db.close();
}
