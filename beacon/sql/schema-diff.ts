/**
 * Compares a database with a descriptor. Only additions are made; changes and drops are reported
 * and left alone.
 */
import {
  type ColumnDescriptor,
  type IndexDescriptor,
  isNullableColumn,
  type TableDescriptor,
} from '../../contracts/schema.ts';
import { charsMaxOf } from './ddl.ts';
import type { ColumnFamily, ColumnInfo, IndexInfo, TableInfo } from '../engine/engine.ts';

export type TableDiff = {
  table: TableDescriptor;
  /** Null when the table is missing; then all its columns and indexes are listed. */
  existing: TableInfo | null;
  columns: ColumnDescriptor[];
  indexes: IndexDescriptor[];
  /** What a forward-only migration does not change. */
  skipped: string[];
};

const familiesOf: Record<string, readonly ColumnFamily[]> = {
  String: ['text'],
  JSON: ['text'],
  Integer: ['integer', 'boolean'],
  BigInteger: ['integer'],
  Float: ['float'],
  Boolean: ['boolean', 'integer'],
  Deleted: ['boolean', 'integer'],
};

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The differences of one table; `existing` are the tables of the database. */
export function diffTable(table: TableDescriptor, existing: readonly TableInfo[]): TableDiff {
  const found = existing.find((one) => same(one.name, table.Scope)) ?? null;
  const indexes = table.Indexes ?? [];
  if (found === null) return { table, existing: null, columns: table.Schema, indexes, skipped: [] };
  const diff: TableDiff = { table, existing: found, columns: [], indexes: [], skipped: [] };
  for (const column of table.Schema) {
    const there = found.columns.find((one) => same(one.name, column.Column));
    if (there) {
      if (needsAlter(column, there))
        diff.skipped.push(`alter-column:${table.Scope}.${column.Column}`);
    } else if (column.Type === 'AutoIdentity')
      diff.skipped.push(`add-identity:${table.Scope}.${column.Column}`);
    else diff.columns.push(column);
  }
  for (const index of indexes) {
    if (hasIndex(index, found)) continue;
    if (found.indexes.some((one) => same(one.name, index.Name)))
      diff.skipped.push(`alter-index:${index.Name}`);
    else diff.indexes.push(index);
  }
  diff.skipped.push(...surplus(table, found));
  return diff;
}

/** Columns and indexes the descriptor does not name, except the index of the primary key. */
function surplus(table: TableDescriptor, found: TableInfo): string[] {
  const indexes = table.Indexes ?? [];
  const primary = found.columns
    .filter((column) => column.isPrimaryKey)
    .map((column) => column.name);
  const isKnown = (index: IndexInfo) =>
    indexes.some((one) => same(one.Name, index.name) || isSameIndex(one, index));
  const isPrimary = (index: IndexInfo) =>
    index.isUnique &&
    index.columns.length === primary.length &&
    index.columns.every((name) => primary.includes(name));
  return [
    ...found.columns
      .filter((there) => !table.Schema.some((column) => same(column.Column, there.name)))
      .map((there) => `drop-column:${table.Scope}.${there.name}`),
    ...found.indexes
      .filter((index) => !isKnown(index) && !isPrimary(index))
      .map((index) => `drop-index:${index.name}`),
  ];
}

/**
 * Whether a column cannot hold what the descriptor promises: another type family, rounded numbers,
 * fewer characters, or no null.
 */
function needsAlter(column: ColumnDescriptor, there: ColumnInfo): boolean {
  const families = familiesOf[column.Type];
  if (families && !families.includes(there.family)) return true;
  // A decimal with a fixed number of places rounds.
  if (column.Type === 'Float' && /^(?:numeric|decimal)/i.test(there.nativeType)) return true;
  const chars = charsMaxOf(column);
  if (
    column.Type === 'String' &&
    there.charsMax !== null &&
    (chars === null || there.charsMax < chars)
  )
    return true;
  return column.Type !== 'AutoIdentity' && isNullableColumn(column) && !there.isNullable;
}

function hasIndex(index: IndexDescriptor, found: TableInfo): boolean {
  return found.indexes.some((one) => isSameIndex(index, one));
}

/**
 * An index on the same columns in the same order is enough, whatever its name, if it is as unique
 * as required.
 */
function isSameIndex(index: IndexDescriptor, one: IndexInfo): boolean {
  if (one.columns.length !== index.Columns.length || (index.Unique === true) !== one.isUnique)
    return false;
  return one.columns.every((name, at) => same(name, index.Columns[at] ?? ''));
}
