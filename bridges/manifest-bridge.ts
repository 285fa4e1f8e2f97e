/**
 * The manifest lane: translates MS_* writes into row mutations. Pure: no I/O, no clock, no state.
 */
import type { JsonObject } from '../contracts/body/json-value.ts';
import type { Row, RowMutation } from '../contracts/mutation.ts';
import { tableOf } from '../contracts/schema.ts';
import { type Entry, isFillOnly, rowOf, signed } from './entry.ts';
import { toStored } from './project.ts';

const manifests = tableOf('UVManifest');

/** Fields that also get a column of their own; ManifestJSON keeps the whole manifest. */
const projected = [
  'OperationHash',
  'OperationName',
  'Status',
  'RunMode',
  'Live',
  'StartTime',
  'StopTime',
  'ElapsedMs',
  'StagingPath',
] as const;

/**
 * A manifest replaces the stored one entirely: columns it no longer has return to their defaults.
 */
export function manifestColumns(manifest: JsonObject): Row {
  const columns: Row = {};
  for (const name of projected) {
    const column = manifests.columns.get(name);
    if (column) columns[name] = toStored(column, manifest[name] ?? null);
  }
  columns['ManifestJSON'] = JSON.stringify(manifest);
  return columns;
}

function manifestWrite(entry: Entry): Pick<RowMutation, 'Set' | 'Fill'> {
  const columns = manifestColumns(rowOf(entry, 'Manifest'));
  return isFillOnly(entry) ? { Set: {}, Fill: columns } : { Set: columns };
}

/** Translates an MS_* write into its one mutation. */
export function manifestMutation(entry: Entry): RowMutation {
  const row = {
    Table: manifests.name,
    Key: { HubID: entry.hubId, Hash: entry.key },
    Seq: entry.seq,
  };
  switch (entry.action) {
    case 'MS_UpsertManifest':
      return signed(entry, { Op: 'write', ...row, ...manifestWrite(entry) });
    case 'MS_RemoveManifest':
      return signed(entry, { Op: 'delete', ...row, Set: {} });
    default:
      throw new RangeError(`${entry.action} is not a write of the manifest lane`);
  }
}
