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
  carrier: CarrierName | null;
};

export const markColumns =
  'm.database, d.beacon, d.connection, m.store_id as storeId, m.seq, m.guid, ' +
  'm.recorded_ms as recordedMs, m.applied_ms as appliedMs, ' +
  'm.applied, m.present, m.skipped, m.carrier';

export const markTables = 'mark m join database d on d.id = m.database';

/** The marks of a lane, in the order in which they are shown. */
export const marksOfLane = `select ${markColumns} from ${markTables} where m.lane = ? order by d.beacon, d.connection`;

/** The mark of the database a lane is assigned to. */
export const assignedMark =
  `select ${markColumns} from ${markTables} join assignment a on a.lane = m.lane ` +
  'and a.beacon = d.beacon and a.connection = d.connection where m.lane = ?';

/** Takes `@again` entries off the counts of settled ones, applied ones first. */
export const fewerSettled =
  'applied = max(0, applied - @again), present = present - max(0, @again - applied)';
