/**
 * The SQL text for a mutation's shape. Names come from introspection and are quoted; values are
 * always bound.
 */
import type { Shape } from '../../engine/mutation-shape.ts';
import type { Column } from '../../engine/table.ts';

/**
 * Parameters of `change`: for inserts and writes those of `rowValues`; for deletes Seq, UpdateDate
 * if the table has it, key, Seq.
 */
export type ShapeSql = { change: string; read: string; adopt: string | null };

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function whereKey(key: readonly Column[]): string {
  return key.map((column) => `${quoted(column.name)} = ?`).join(' AND ');
}

export function compileShape(shape: Shape): ShapeSql {
  const table = quoted(shape.table.name);
  const where = whereKey(shape.key);
  const readColumns = [...shape.key, ...shape.merge, ...shape.set].map((column) =>
    quoted(column.name),
  );
  return {
    change: shape.op === 'delete' ? deleteSql(shape, table, where) : insertSql(shape, table),
    read: `SELECT ${[...readColumns, '"BridgeSeq"'].join(', ')} FROM ${table} WHERE ${where}`,
    adopt: adoptSql(shape, table),
  };
}

function deleteSql(shape: Shape, table: string, where: string): string {
  const updateDate = shape.updateDate ? ', "UpdateDate" = ?' : '';
  return `UPDATE ${table} SET "Deleted" = 1, "BridgeSeq" = ?${updateDate} WHERE ${where} AND "BridgeSeq" < ?`;
}

function insertSql(shape: Shape, table: string): string {
  const columns = [...shape.key, ...shape.merge, ...shape.set, ...shape.fill, ...shape.rest].map(
    (column) => quoted(column.name),
  );
  columns.push('"BridgeSeq"');
  if (shape.createDate) columns.push('"CreateDate"');
  if (shape.updateDate) columns.push('"UpdateDate"');
  const marks = columns.map(() => '?').join(', ');
  const key = shape.key.map((column) => quoted(column.name)).join(', ');
  const insert = `INSERT INTO ${table} (${columns.join(', ')}, "Deleted") VALUES (${marks}, 0) ON CONFLICT (${key}) DO`;
  return shape.op === 'insert'
    ? `${insert} NOTHING`
    : `${insert} UPDATE SET ${updates(shape, table)} WHERE excluded."BridgeSeq" > ${table}."BridgeSeq"`;
}

function updates(shape: Shape, table: string): string {
  const list = [...shape.merge, ...shape.set].map(
    (column) => `${quoted(column.name)} = excluded.${quoted(column.name)}`,
  );
  for (const column of shape.fill) {
    const old = `${table}.${quoted(column.name)}`;
    const empty =
      column.family === 'text' || column.family === 'date' || column.family === 'binary'
        ? "''"
        : '0';
    list.push(
      `${quoted(column.name)} = CASE WHEN ${old} IS NULL OR ${old} = ${empty} THEN ` +
        `excluded.${quoted(column.name)} ELSE ${old} END`,
    );
  }
  list.push('"BridgeSeq" = excluded."BridgeSeq"', '"Deleted" = 0');
  if (shape.updateDate) list.push('"UpdateDate" = excluded."UpdateDate"');
  return list.join(', ');
}

/**
 * The incumbent's rows have no hub; each goes to the first hub that writes it. Parameters: hub,
 * then the whole key.
 */
function adoptSql(shape: Shape, table: string): string | null {
  if (!shape.key.some((column) => column.name === 'HubID') || shape.key.length < 2) return null;
  const where = shape.key.map((column) =>
    column.name === 'HubID' ? `("HubID" = '' AND ? <> '')` : `${quoted(column.name)} = ?`,
  );
  return `UPDATE ${table} SET "HubID" = ? WHERE ${where.join(' AND ')}`;
}
