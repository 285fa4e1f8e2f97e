/** Checks the specs of Aggregate and Join; each refusal names the path of the field. */
import { TidemarkError } from '../../contracts/errors.ts';
import { bounds } from '../bounds.ts';
import { BadRequest, emptyFilter, type Filter, parseFilter } from '../sql/filter.ts';
import { integerAt, listAt, objectAt, refuse, type Settings } from '../settings.ts';
import type { AggregateFunction, AggregateQuery, JoinQuery } from '../sql/sql-aggregate.ts';
import type { Page } from '../sql/row-reads.ts';

const functions: Readonly<Record<string, AggregateFunction>> = {
  sum: 'sum',
  count: 'count',
  mean: 'avg',
  avg: 'avg',
  min: 'min',
  max: 'max',
};
const namesMax = 100;

function nameAt(value: unknown, path: string): string {
  if (typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(value)) return value;
  throw refuse(path, 'a name of letters, digits and _ (at most 63 characters)', value);
}

/** An object, or its JSON text. */
function specAt(settings: Settings, name: string): Settings {
  const given = settings[name];
  if (typeof given !== 'string') return objectAt(given, `Settings.${name}`);
  try {
    return objectAt(JSON.parse(given), `Settings.${name}`);
  } catch (cause) {
    if (cause instanceof TidemarkError) throw cause;
    throw refuse(`Settings.${name}`, 'an object', 'text that is not JSON');
  }
}

export type AggregateSpec = AggregateQuery & { table: string; page: Page };

/**
 * `Settings.AggregateSpec`; `Function` may be called `Op`, and `Source` `Column`, as data mappers
 * do.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function aggregateSpecAt(settings: Settings): AggregateSpec {
  const spec = specAt(settings, 'AggregateSpec');
  const at = (name: string) => `Settings.AggregateSpec.${name}`;
  const groupBy = listAt(spec['GroupBy'] ?? [], at('GroupBy'), namesMax).map((name, index) =>
    nameAt(name, `${at('GroupBy')}[${index}]`),
  );
  const aggregates = listAt(spec['Aggregates'], at('Aggregates'), namesMax).map((one, index) =>
    aggregateAt(one, `${at('Aggregates')}[${index}]`),
  );
  if (aggregates.length === 0) throw refuse(at('Aggregates'), 'at least one', 'an empty list');
  const results = [...groupBy, ...aggregates.map((one) => one.as)];
  if (new Set(results).size < results.length)
    throw refuse(at('Aggregates'), 'each name once, among GroupBy and As', 'a name twice');
  return {
    table: nameAt(spec['Table'], at('Table')),
    groupBy,
    aggregates,
    filter: filterAt(spec['Filter'], at('Filter')),
    orderBy: listAt(spec['OrderBy'] ?? [], at('OrderBy'), namesMax).map((one, index) =>
      orderAt(one, results, `${at('OrderBy')}[${index}]`),
    ),
    page: { begin: 0, cap: bounds.pageRowsMax },
  };
}

function aggregateAt(value: unknown, path: string): AggregateQuery['aggregates'][number] {
  const one = objectAt(value, path);
  const asked = String(one['Function'] ?? one['Op'] ?? '').toLowerCase();
  const call = Object.hasOwn(functions, asked) ? functions[asked] : undefined;
  if (!call)
    throw refuse(
      `${path}.Function`,
      'Sum, Count, Mean, Avg, Min or Max',
      one['Function'] ?? one['Op'],
    );
  const source = one['Source'] ?? one['Column'];
  if (source === '*' && call !== 'count')
    throw refuse(`${path}.Source`, 'a column; * is for Count alone', source);
  return {
    call,
    source: source === '*' ? null : nameAt(source, `${path}.Source`),
    as: nameAt(one['As'], `${path}.As`),
  };
}

/** `Name`, `-Name` or `Name DESC`, where Name is a column of the result. */
function orderAt(
  value: unknown,
  results: readonly string[],
  path: string,
): AggregateQuery['orderBy'][number] {
  const [, minus, name = '', direction] =
    /^(-?)([A-Za-z_]\w*)(?: (ASC|DESC))?$/i.exec(String(value)) ?? [];
  if (!results.includes(name)) throw refuse(path, `one of ${results.join(', ')}`, value);
  return { name, isDescending: minus === '-' || direction?.toUpperCase() === 'DESC' };
}

/** The filter grammar of the table endpoints. */
function filterAt(value: unknown, path: string): Filter {
  if (value === undefined || value === null || value === '') return emptyFilter();
  if (typeof value !== 'string' || value.length > bounds.pathCharsMax)
    throw refuse(path, 'filter text, such as FBV~Status~EQ~Pending', value);
  try {
    return parseFilter(value);
  } catch (cause) {
    if (cause instanceof BadRequest)
      throw new TidemarkError('INVALID_MESSAGE', `${path}: ${cause.message}`, { cause });
    throw cause;
  }
}

export type JoinSpec = JoinQuery & {
  table: string;
  related: string;
  page: Page;
  cursorField: string | null;
};

/** Name of the cursor column when the projection does not include it. */
const cursorColumn = '_dbkj_cursor';

/**
 * `Settings.JoinSpec`, paged by `AfterValue` (null at first) or by `Offset`.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function joinSpecAt(settings: Settings): JoinSpec {
  const spec = specAt(settings, 'JoinSpec');
  const at = (name: string) => `Settings.JoinSpec.${name}`;
  const on = objectAt(spec['JoinOn'], at('JoinOn'));
  const orderBy = nameAt(spec['OrderBy'], at('OrderBy'));
  const columns = projectionAt(spec['Projection'], at('Projection'));
  const isKeyset = Object.hasOwn(spec, 'AfterValue');
  if (isKeyset && (spec['Offset'] ?? null) !== null)
    throw refuse(at('Offset'), 'either AfterValue or Offset', 'both');
  let cursorField: string | null = null;
  if (isKeyset) {
    cursorField =
      columns.find((one) => one.side === 'source' && one.column === orderBy)?.as ?? null;
    if (cursorField === null)
      columns.unshift({ side: 'source', column: orderBy, as: (cursorField = cursorColumn) });
  }
  return {
    table: nameAt(spec['Table'], at('Table')),
    related: nameAt(spec['RelatedTable'], at('RelatedTable')),
    on: {
      source: nameAt(on['SourceField'], at('JoinOn.SourceField')),
      related: nameAt(on['RelatedField'], at('JoinOn.RelatedField')),
    },
    columns,
    orderBy,
    after: afterAt(spec['AfterValue'], at('AfterValue')),
    page: {
      begin: integerAt({ Offset: spec['Offset'] ?? 0 }, 'Offset', 0, Number.MAX_SAFE_INTEGER),
      cap: integerAt(spec, 'Limit', 1, bounds.pageRowsMax, bounds.joinRowsDefault),
    },
    cursorField,
  };
}

function afterAt(value: unknown, path: string): JoinQuery['after'] {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value)))
    return value;
  throw refuse(path, 'a string, a number or null', value);
}

/**
 * Maps a result name to `{~D:Record.Column~}` of the table or `{~D:Related.Column~}` of the related
 * one.
 */
function projectionAt(value: unknown, path: string): JoinQuery['columns'] {
  const projection = Object.entries(objectAt(value, path));
  if (projection.length === 0 || projection.length > bounds.columnsMax)
    throw refuse(path, `1 to ${bounds.columnsMax} columns`, `${projection.length}`);
  return projection.map(([as, text]) => {
    const [, side, column = ''] =
      /^\{~D:(Record|Related)\.([A-Za-z_]\w*)~\}$/.exec(String(text)) ?? [];
    if (!side)
      throw refuse(
        `${path}.${as.slice(0, 80)}`,
        '{~D:Record.Column~} or {~D:Related.Column~}',
        text,
      );
    if (as === cursorColumn) throw refuse(path, `no column called ${cursorColumn}`, as);
    return { side: side === 'Record' ? 'source' : 'related', column, as: nameAt(as, path) };
  });
}
