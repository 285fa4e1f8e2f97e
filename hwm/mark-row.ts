/**
 * A mark as its table has it, and the SQL that reads it, for the worker and for commands that read
 * a store of any schema.
 */
import type { CarrierName } from '../contracts/status.ts';

/** The columns that every schema has. */
export type MarkRow = {
  database: number;
  beacon: string;
  connection: number;
  storeId: string;
  seq: number;
  guid: Buffer | null;
  recordedMs: number | null;
  appliedMs: number | null;
  applied: number;
  present: number;
  skipped: number;
  superseded: number;
  carrier: CarrierName | null;
};

/** @param schema of the store that is read, its own handle's where it is left out */
export function markColumns(schema = Infinity): string {
  const superseded = schema < 6 ? '0 as superseded' : 'm.superseded';
  return (
    'm.database, d.beacon, d.connection, m.store_id as storeId, m.seq, m.guid, ' +
    'm.recorded_ms as recordedMs, m.applied_ms as appliedMs, ' +
    `m.applied, m.present, m.skipped, ${superseded}, m.carrier`
  );
}

export const markTables = 'mark m join database d on d.id = m.database';

/** The marks of a lane, in the order in which they are shown. */
export function marksOfLane(schema?: number): string {
  return `select ${markColumns(schema)} from ${markTables} where m.lane = ? order by d.beacon, d.connection`;
}

/** The mark of the database a lane is assigned to. */
export function assignedMark(schema?: number): string {
  return (
    `select ${markColumns(schema)} from ${markTables} join assignment a on a.lane = m.lane ` +
    'and a.beacon = d.beacon and a.connection = d.connection where m.lane = ?'
  );
}

/** Takes `@again` entries off the counts of settled ones, applied ones first. */
export const fewerSettled =
  'applied = max(0, applied - @again), present = max(0, present - max(0, @again - applied)), ' +
  'superseded = superseded - max(0, @again - applied - present)';
