/**
 * The SQL text for a mutation's shape. Names come from introspection and are quoted; values are
 * always bound.
 */
import type { Shape } from '../../engine/mutation-shape.ts';
import type { Column } from '../../engine/table.ts';

/**
 * Parameters of `change`: for inserts and writes those of `rowValues`; for deletes Seq and Term,
 * UpdateDate, key, Seq and Term again. Term and UpdateDate only where the table has them.
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
    read: `SELECT ${[...readColumns, ...guardColumns(shape)].join(', ')} FROM ${table} WHERE ${where}`,
    adopt: adoptSql(shape, table),
  };
}

function guardColumns(shape: Shape): string[] {
  return shape.term ? ['"BridgeSeq"', '"BridgeTerm"'] : ['"BridgeSeq"'];
}

function deleteSql(shape: Shape, table: string, where: string): string {
  const sets = guardColumns(shape).map((name) => `${name} = ?`);
  if (shape.updateDate) sets.push('"UpdateDate" = ?');
  const isOlder = shape.term ? '(?, ?) > ("BridgeTerm", "BridgeSeq")' : '? > "BridgeSeq"';
  return `UPDATE ${table} SET "Deleted" = 1, ${sets.join(', ')} WHERE ${where} AND ${isOlder}`;
}

/** Whether the new row is of a later write than the one in the table. */
function isLater(shape: Shape, table: string): string {
  if (!shape.term) return `excluded."BridgeSeq" > ${table}."BridgeSeq"`;
  const pairOf = (row: string) => `(${row}."BridgeTerm", ${row}."BridgeSeq")`;
  return `${pairOf('excluded')} > ${pairOf(table)}`;
}

function insertSql(shape: Shape, table: string): string {
  const columns = [...shape.key, ...shape.merge, ...shape.set, ...shape.fill, ...shape.rest].map(
    (column) => quoted(column.name),
  );
  columns.push(...guardColumns(shape));
  if (shape.createDate) columns.push('"CreateDate"');
  if (shape.updateDate) columns.push('"UpdateDate"');
  const marks = columns.map(() => '?').join(', ');
  const key = shape.key.map((column) => quoted(column.name)).join(', ');
  const insert = `INSERT INTO ${table} (${columns.join(', ')}, "Deleted") VALUES (${marks}, 0) ON CONFLICT (${key}) DO`;
  return shape.op === 'insert'
    ? `${insert} NOTHING`
    : `${insert} UPDATE SET ${updates(shape, table)} WHERE ${isLater(shape, table)}`;
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
  list.push(...guardColumns(shape).map((name) => `${name} = excluded.${name}`), '"Deleted" = 0');
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
