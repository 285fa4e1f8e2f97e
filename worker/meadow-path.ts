/** Paths of the meadow REST conventions: the only place that builds filter text. */
import type { RowQuery } from '../contracts/mutation.ts';
import type { Scalar } from '../contracts/schema.ts';

/** A value inside a filter: `~` separates stanzas, so it is encoded although URLs would let it pass. */
function encoded(value: Scalar): string {
  const text = typeof value === 'boolean' ? String(Number(value)) : String(value ?? '');
  return encodeURIComponent(text).replaceAll('~', '%7E').replaceAll('(', '%28').replaceAll(')', '%29');
}

function group(isOr: boolean, stanzas: string[]): string {
  return [`${isOr ? 'FOPOR' : 'FOP'}~0~(~0`, ...stanzas, 'FCP~0~)~0'].join('~');
}

function termStanza(column: string, values: readonly Scalar[]): string {
  if (values.length === 1) return `FBV~${column}~EQ~${encoded(values[0] ?? '')}`;
  return `FBL~${column}~INN~${values.map(encoded).join(',')}`;
}

/** (a > x) or (a = x and b > y) ...: rows behind a position. */
function positionStanza(order: RowQuery['Order'], position: readonly Scalar[]): string {
  const alternatives = order.map(({ Column, IsDescending }, index) => {
    const equal = order.slice(0, index).map((term, at) => `FBV~${term.Column}~EQ~${encoded(position[at] ?? '')}`);
    const beyond = `FBV~${Column}~${IsDescending ? 'LT' : 'GT'}~${encoded(position[index] ?? '')}`;
    return group(index > 0, [...equal, beyond]);
  });
  return group(false, alternatives);
}

/** `<B>s/FilteredTo/<filter>/0/<limit>` for a query. */
export function queryPath(endpoint: string, query: RowQuery): string {
  const stanzas = query.Terms.map((term) => termStanza(term.Column, term.Values));
  if (query.After) stanzas.push(positionStanza(query.Order, query.After));
  for (const { Column, IsDescending } of query.Order) stanzas.push(`FSF~${Column}~${IsDescending ? 'DESC' : 'ASC'}~0`);
  return `${endpoint}s/FilteredTo/${stanzas.join('~')}/0/${query.Limit}`;
}

/** The row of a natural key, soft-deleted or not: a filter that names Deleted shows both. */
export function keyPath(endpoint: string, key: Record<string, Scalar>, isDeleted: boolean): string {
  const stanzas = Object.entries(key).map(([column, value]) => termStanza(column, [value]));
  stanzas.push(`FBV~Deleted~EQ~${isDeleted ? 1 : 0}`);
  return `${endpoint}s/FilteredTo/${stanzas.join('~')}/0/2`;
}
