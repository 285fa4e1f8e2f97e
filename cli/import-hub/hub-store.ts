/**
 * What a hub has itself of items, events, attempts and runs: its SQLite store and the manifests in
 * its staging folders, read and never written.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { type Connection, openReadOnly } from '../../worker/state/connection.ts';

export const kinds = ['items', 'events', 'attempts', 'runs'] as const;
export type Kind = (typeof kinds)[number];

/** Kinds that the store has tables for. */
const tables = {
  items: 'BeaconWorkItem',
  events: 'BeaconWorkItemEvent',
  attempts: 'BeaconWorkItemAttempt',
} as const;

export class HubStore implements Disposable {
  readonly #db: Connection | null;
  readonly #manifests: readonly string[];

  /**
   * @param folder the hub's data folder, its UltravisorFileStorePath
   * @param staging the folders of its runs; where none is said, those beside and below it
   * @throws TidemarkError NOT_THERE when neither is there
   */
  constructor(folder: string, staging: readonly string[]) {
    const store = [join(folder, 'beacon'), folder]
      .map((path) => join(path, 'beacon-queue.sqlite'))
      .find((path) => existsSync(path));
    const runFolders =
      staging.length > 0
        ? staging
        : [join(folder, 'staging'), join(folder, '..', 'ultravisor_staging')];
    this.#manifests = runFolders.flatMap(manifestsUnder);
    if (store === undefined && this.#manifests.length === 0)
      throw new TidemarkError(
        'NOT_THERE',
        `${folder} is no data folder of a hub: there is no beacon/beacon-queue.sqlite, ` +
          `and no Manifest_*.json under ${runFolders.join(' or ')}`,
      );
    this.#db = store === undefined ? null : openReadOnly(store);
  }

  count(kind: Kind): number {
    if (kind === 'runs') return this.#manifests.length;
    const db = this.#with(kind);
    const found = db?.prepare(`SELECT count(*) AS n FROM ${tables[kind]}`).get();
    return (found as { n: number } | undefined)?.n ?? 0;
  }

  /** Each as the hub has it; an event with when its item was enqueued. */
  *rows(kind: Kind): Iterable<JsonObject> {
    if (kind === 'runs') return yield* this.#runs();
    const item = `SELECT EnqueuedAt FROM ${tables.items} i WHERE i.WorkItemHash = t.WorkItemHash`;
    const more = kind === 'events' ? `, (${item} LIMIT 1) AS ItemEnqueuedAt` : '';
    const sql = `SELECT t.*${more} FROM ${tables[kind]} t ORDER BY 1`;
    yield* (this.#with(kind)?.prepare(sql).iterate() ?? []) as Iterable<JsonObject>;
  }

  [Symbol.dispose](): void {
    this.#db?.close();
  }

  /** The store, where it has the table. */
  #with(kind: keyof typeof tables): Connection | null {
    const sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?";
    return this.#db?.prepare(sql).get(tables[kind]) === undefined ? null : this.#db;
  }

  *#runs(): Iterable<JsonObject> {
    for (const path of this.#manifests) {
      const manifest = parsed(path);
      yield manifest ? { ...manifest, StagingPath: join(path, '..') } : {};
    }
  }
}

function manifestsUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) =>
      readdirSync(join(folder, entry.name))
        .filter((name) => name.startsWith('Manifest_') && name.endsWith('.json'))
        .map((name) => join(folder, entry.name, name)),
    );
}

function parsed(path: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
