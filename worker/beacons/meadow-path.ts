/** Builds paths of the meadow REST conventions; filter text is built only here. */
import type { RowQuery } from '../../contracts/mutation.ts';
import type { Scalar } from '../../contracts/schema.ts';
import { boundOf, isUnsayable, patternOf } from './foreign-rows.ts';

/**
 * `ours` splits a filter into stanzas and then decodes the values; `theirs` decodes first, so that
 * some values can only be matched by a pattern.
 */
export type Grammar = 'ours' | 'theirs';

/** Encodes a value for a filter, including `~`, which separates stanzas but is allowed in URLs. */
function encoded(value: Scalar): string {
  const text = typeof value === 'boolean' ? String(Number(value)) : String(value ?? '');
  return encodeURIComponent(text)
    .replaceAll('~', '%7E')
    .replaceAll('(', '%28')
    .replaceAll(')', '%29');
}

function group(isOr: boolean, stanzas: string[]): string {
  return [`${isOr ? 'FOPOR' : 'FOP'}~0~(~0`, ...stanzas, 'FCP~0~)~0'].join('~');
}

function valueStanza(column: string, value: Scalar, grammar: Grammar, instruction = 'FBV'): string {
  const isPattern = grammar === 'theirs' && isUnsayable(value);
  return `${instruction}~${column}~${isPattern ? 'LK' : 'EQ'}~${encoded(isPattern ? patternOf(String(value)) : value)}`;
}

function termStanza(column: string, values: readonly Scalar[], grammar: Grammar): string {
  if (values.length === 1) return valueStanza(column, values[0] ?? '', grammar);
  if (
    grammar === 'theirs' &&
    values.some((value) => isUnsayable(value) || String(value).includes(','))
  ) {
    return group(
      false,
      values.map((value, at) => valueStanza(column, value, grammar, at === 0 ? 'FBV' : 'FBVOR')),
    );
  }
  return `FBL~${column}~INN~${values.map(encoded).join(',')}`;
}

/** (a > x) or (a = x and b > y) ...: the rows after a position. */
function positionStanza(
  order: RowQuery['Order'],
  position: readonly Scalar[],
  grammar: Grammar,
): string {
  const alternatives = order.map(({ Column, IsDescending }, index) => {
    const equal = order
      .slice(0, index)
      .map((term, at) => valueStanza(term.Column, position[at] ?? '', grammar));
    const value = position[index] ?? '';
    const bound = grammar === 'theirs' ? boundOf(value, IsDescending) : value;
    const beyond = `FBV~${Column}~${IsDescending ? 'LT' : 'GT'}~${encoded(bound)}`;
    return group(index > 0, [...equal, beyond]);
  });
  return group(false, alternatives);
}

/** `<B>s/FilteredTo/<filter>/<begin>/<cap>` for a query; `cap` defaults to its limit. */
export function queryPath(
  endpoint: string,
  query: RowQuery,
  grammar: Grammar = 'ours',
  begin = 0,
  cap: number = query.Limit,
): string {
  const stanzas = query.Terms.map((term) => termStanza(term.Column, term.Values, grammar));
  if (query.After) stanzas.push(positionStanza(query.Order, query.After, grammar));
  for (const { Column, IsDescending } of query.Order)
    stanzas.push(`FSF~${Column}~${IsDescending ? 'DESC' : 'ASC'}~0`);
  return `${endpoint}s/FilteredTo/${stanzas.join('~')}/${begin}/${cap}`;
}

/**
 * Most values in one path, and most characters: the incumbent's server refuses a request head of
 * more than 16 KiB.
 */
const valuesMax = 50;
const valueCharsMax = 8_000;

/** Splits the values of a term into parts that fit into one path each. */
export function valueParts(values: readonly Scalar[]): Scalar[][] {
  const parts: Scalar[][] = [[]];
  let chars = 0;
  for (const value of values) {
    const own = encoded(value).length;
    const last = parts.at(-1) ?? [];
    if (last.length > 0 && (last.length >= valuesMax || chars + own > valueCharsMax)) {
      parts.push([value]);
      chars = own;
    } else {
      last.push(value);
      chars += own;
    }
  }
  return parts;
}

/**
 * Query for the row of a natural key, soft-deleted or not: a filter that names Deleted finds both.
 */
export function keyQuery(table: string, key: Record<string, Scalar>, isDeleted: boolean): RowQuery {
  const terms = Object.entries(key).map(([Column, value]) => ({ Column, Values: [value] }));
  return {
    Table: table,
    Terms: [...terms, { Column: 'Deleted', Values: [isDeleted ? 1 : 0] }],
    Order: [],
    Limit: 2,
  };
}
