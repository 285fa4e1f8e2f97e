/**
 * Reads over what waits in the hub: the writes that the worker does not have yet, put over the rows
 * it answered with, or over none while it is away.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { tableOf } from '../../contracts/schema.ts';
import type { Waiting } from './hub-file.ts';

export type Listed = 'WorkItems' | 'Manifests';

const hashOf: Record<Listed, string> = { WorkItems: 'WorkItemHash', Manifests: 'Hash' };
const defaultOrder: Record<Listed, string> = { WorkItems: 'EnqueuedAt', Manifests: '-StartTime' };

/** A row, and whether all of it is known. */
type Known = { row: JsonObject; isWhole: boolean };

/** A work item with the writes over it; null where neither side has one. */
export function workItemOver(row: JsonObject | null, waiting: readonly Waiting[]): Known | null {
  let known: Known | null = row && { row, isWhole: true };
  for (const write of waiting) known = withItem(known, write);
  return known;
}

/** A manifest; null where there is none, or the last write took it away. */
export function manifestOver(
  manifest: JsonObject | null,
  waiting: readonly Waiting[],
): JsonObject | null {
  let now = manifest;
  for (const { action, text } of waiting) {
    const settings = settingsOf(text);
    if (action === 'MS_RemoveManifest') now = null;
    else if (settings['FillOnly'] !== true || now === null) now = part(settings, 'Manifest');
  }
  return now;
}

/** Events of an item, oldest first: those that wait come behind. */
export function eventsOver(
  events: readonly JsonValue[],
  waiting: readonly Waiting[],
  limit: number,
): JsonValue[] {
  const seen = new Set(events.map((event) => isJsonObject(event) && event['EventGUID']));
  const more = waiting
    .filter(({ action }) => action === 'QP_AppendEvent')
    .map(({ text }) => part(settingsOf(text), 'Event'))
    .filter((event) => !seen.has(event['EventGUID'] ?? ''));
  return [...events, ...more].slice(0, limit);
}

/** A list with the writes over it: filtered, ordered and cut as it was asked for. */
export function listOver(
  listed: Listed,
  rows: readonly JsonValue[],
  waiting: readonly Waiting[],
  filter: JsonObject,
): JsonObject[] {
  const found = new Map<string, Known>();
  for (const row of rows)
    if (isJsonObject(row)) found.set(String(row[hashOf[listed]]), { row, isWhole: true });
  for (const write of waiting) {
    const before = found.get(write.key) ?? null;
    const now = listed === 'WorkItems' ? withItem(before, write) : withManifest(before, write);
    if (now) found.set(write.key, now);
    else found.delete(write.key);
  }
  const { OrderBy, Limit, After: _after, Full: _full, ...terms } = filter;
  const order = typeof OrderBy === 'string' ? OrderBy : defaultOrder[listed];
  return [...found.values()]
    .filter(({ row, isWhole }) => isWhole && matches(row, terms))
    .map(({ row }) => row)
    .toSorted(byColumn(order, hashOf[listed]))
    .slice(0, typeof Limit === 'number' ? Limit : limits.listRowsMax);
}

function withItem(known: Known | null, { action, key, text }: Waiting): Known | null {
  const settings = settingsOf(text);
  if (action === 'QP_UpsertWorkItem') {
    const item = part(settings, 'WorkItem');
    const row =
      settings['FillOnly'] === true && known
        ? { ...item, ...said(known.row) }
        : { ...known?.row, ...item };
    return { row, isWhole: true };
  }
  if (action !== 'QP_UpdateWorkItem') return known;
  const row = { ...(known?.row ?? { WorkItemHash: key }), ...part(settings, 'Patch') };
  return { row, isWhole: known?.isWhole ?? false };
}

/** As a list of the worker has it: the columns, without the manifest's own text. */
function withManifest(known: Known | null, { action, text }: Waiting): Known | null {
  if (action === 'MS_RemoveManifest') return null;
  const settings = settingsOf(text);
  if (known && settings['FillOnly'] === true) return known;
  const manifest = part(settings, 'Manifest');
  const columns = [...tableOf('UVManifest').columns.keys()].filter((name) => name in manifest);
  const row = Object.fromEntries(columns.map((name) => [name, manifest[name] as JsonValue]));
  return { row, isWhole: true };
}

function settingsOf(text: string): JsonObject {
  const envelope: unknown = JSON.parse(text);
  return isJsonObject(envelope) ? part(envelope, 'Settings') : {};
}

function part(settings: JsonObject, name: string): JsonObject {
  const value = settings[name];
  return isJsonObject(value) ? value : {};
}

/** Members that say something. */
function said(row: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(row).filter(([, value]) => value !== null && value !== '' && value !== 0),
  );
}

function matches(row: JsonObject, terms: JsonObject): boolean {
  return Object.entries(terms).every(([name, wanted]) =>
    (Array.isArray(wanted) ? wanted : [wanted]).includes(row[name] ?? ''),
  );
}

function byColumn(
  order: string,
  tieBreaker: string,
): (one: JsonObject, other: JsonObject) => number {
  const [, minus, column = tieBreaker, direction] =
    /^\s*(-?)(\w+)(?:\s+(asc|desc))?\s*$/i.exec(order) ?? [];
  const isDescending = (minus === '-') !== (direction?.toLowerCase() === 'desc');
  return (one, other) => {
    const rank = compare(one[column], other[column]) || compare(one[tieBreaker], other[tieBreaker]);
    return isDescending ? -rank : rank;
  };
}

function compare(one: JsonValue | undefined, other: JsonValue | undefined): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  const [left, right] = [String(one ?? ''), String(other ?? '')];
  return left < right ? -1 : left > right ? 1 : 0;
}
