/**
 * Parses the meadow filter grammar: `INSTR~FIELD~OP~VALUE` stanzas joined with `~`. They are split
 * before decoding, so that a value can hold any character.
 */
import { bounds } from '../bounds.ts';

/** A request that is wrong in itself: status 400. */
export class BadRequest extends Error {}

export const operators = [
  'EQ',
  'NE',
  'GT',
  'GE',
  'LT',
  'LE',
  'LK',
  'NLK',
  'IN',
  'NN',
  'INN',
  'NIN',
] as const;
/**
 * IN is "is null", NN "is not null", INN and NIN "in list" and "not in list", LK and NLK "like" and
 * "not like".
 */
export type Operator = (typeof operators)[number];

export type Term = { kind: 'term'; column: string; operator: Operator; values: string[] };
/**
 * True if any of the lists is true; a list is true if all its nodes are. So AND binds closer than
 * OR.
 */
export type Group = { kind: 'group'; any: (Term | Group)[][] };
export type Sort = { column: string; isDescending: boolean };
/** `columns` are those named in conditions; `isDistinct` asks for distinct rows. */
export type Filter = { where: Group; sort: Sort[]; columns: Set<string>; isDistinct: boolean };

export function emptyFilter(): Filter {
  return { where: { kind: 'group', any: [[]] }, sort: [], columns: new Set(), isDistinct: false };
}

/**
 * Decodes one part of a path.
 * @throws BadRequest
 */
export function decodePart(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new BadRequest(`not valid percent-encoding: ${raw.slice(0, 80)}`);
  }
}

export function equals(column: string, value: string): Filter {
  const filter = emptyFilter();
  filter.where.any = [[{ kind: 'term', column, operator: 'EQ', values: [value] }]];
  filter.columns.add(column);
  return filter;
}

function operatorOf(raw: string): Operator {
  const operator = operators.find((one) => one === raw.toUpperCase());
  if (!operator)
    throw new BadRequest(
      `filter: unknown operator ${raw.slice(0, 20)}; there are ${operators.join(' ')}`,
    );
  return operator;
}

function termOf(instruction: string, field: string, op: string, value: string): Term {
  const operator = operatorOf(op);
  const isList = operator === 'INN' || operator === 'NIN';
  if (instruction.startsWith('FBL') && !isList)
    throw new BadRequest(`filter: ${instruction} takes INN or NIN, not ${operator}`);
  // A comma within a value is sent as %2C, so the list is split before its values are decoded.
  const values = isList ? value.split(',').map(decodePart) : [decodePart(value)];
  return { kind: 'term', column: decodePart(field), operator, values };
}

const dayMs = 86_400_000;

/** The given day and the next one, as ISO dates in UTC. */
function dayOf(raw: string): { from: string; to: string } {
  const from = decodePart(raw).slice(0, 10);
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(from) ? Date.parse(from) : Number.NaN;
  // Date.parse accepts the 31st of February as a day in March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== from)
    throw new BadRequest(`filter: ${from} is not a day like 2026-11-21`);
  return { from, to: new Date(ms + dayMs).toISOString().slice(0, 10) };
}

/**
 * A condition on the day of a date, whatever its time. Written as bounds, which need no
 * engine-specific function and can use an index.
 */
function dayCondition(column: string, operator: Operator, raw: string): Term | Group {
  const term = (compare: Operator, value: string): Term => ({
    kind: 'term',
    column,
    operator: compare,
    values: [value],
  });
  if (operator === 'IN' || operator === 'NN') return { kind: 'term', column, operator, values: [] };
  if (operator === 'LK' || operator === 'NLK')
    throw new BadRequest(`filter: FBD takes days, not ${operator}`);
  const days = raw.split(',').map(dayOf);
  if (days.length > bounds.filterDaysMax)
    throw new BadRequest(`filter: at most ${bounds.filterDaysMax} days in a list`);
  const [first = dayOf(raw)] = days;
  switch (operator) {
    case 'GT':
      return term('GE', first.to);
    case 'GE':
      return term('GE', first.from);
    case 'LT':
      return term('LT', first.from);
    case 'LE':
      return term('LT', first.to);
    case 'EQ':
    case 'INN':
      return { kind: 'group', any: days.map(({ from, to }) => [term('GE', from), term('LT', to)]) };
    default:
      return {
        kind: 'group',
        any: [
          days.map(({ from, to }): Group => ({
            kind: 'group',
            any: [[term('LT', from)], [term('GE', to)]],
          })),
        ],
      };
  }
}

/**
 * Parses a filter from a path, still percent-encoded.
 * @throws BadRequest
 */
export function parseFilter(raw: string): Filter {
  const parts = raw === '' ? [] : raw.split('~');
  if (parts.length % 4 !== 0)
    throw new BadRequest(
      'filter: not made of stanzas INSTR~FIELD~OP~VALUE (a ~ within a value is sent as %7E)',
    );
  if (parts.length / 4 > bounds.filterStanzasMax)
    throw new BadRequest(`filter: at most ${bounds.filterStanzasMax} stanzas`);
  const filter = emptyFilter();
  const open: Group[] = [filter.where];
  for (let at = 0; at < parts.length; at += 4) {
    const [instruction = '', field = '', op = '', value = ''] = parts.slice(at, at + 4);
    readStanza(instruction.toUpperCase(), [field, op, value], open, filter);
  }
  if (open.length !== 1) throw new BadRequest('filter: a bracket is not closed');
  if (valuesIn(filter.where) > bounds.filterValuesMax)
    throw new BadRequest(`filter: at most ${bounds.filterValuesMax} values in all`);
  return filter;
}

function valuesIn(node: Term | Group): number {
  return node.kind === 'term'
    ? node.values.length
    : node.any.flat().reduce((sum, inner) => sum + valuesIn(inner), 0);
}

function readStanza(
  instruction: string,
  [field, op, value]: [string, string, string],
  open: Group[],
  filter: Filter,
): void {
  switch (instruction) {
    case 'FBD':
    case 'FBDOR': {
      const column = decodePart(field);
      filter.columns.add(column);
      return add(open, dayCondition(column, operatorOf(op), value), instruction === 'FBDOR');
    }
    case 'FBV':
    case 'FBVOR':
    case 'FBL':
    case 'FBLOR': {
      const term = termOf(instruction, field, op, value);
      filter.columns.add(term.column);
      return add(open, term, instruction.endsWith('OR'));
    }
    case 'FOP':
    case 'FOPOR': {
      const group: Group = { kind: 'group', any: [[]] };
      add(open, group, instruction === 'FOPOR');
      if (open.length >= bounds.filterDepthMax)
        throw new BadRequest(`filter: at most ${bounds.filterDepthMax} nested brackets`);
      open.push(group);
      return;
    }
    case 'FCP':
      if (open.length === 1) throw new BadRequest('filter: a bracket is closed but was not opened');
      open.pop();
      return;
    case 'FSF':
      filter.sort.push({ column: decodePart(field), isDescending: op.toUpperCase() === 'DESC' });
      return;
    case 'FDST':
      filter.isDistinct = true;
      return;
    default:
      throw new BadRequest(
        `filter: unknown instruction ${instruction.slice(0, 20)}; there are FBV FBVOR FBL ` +
          'FBLOR FBD FBDOR FOP FOPOR FCP FSF FDST',
      );
  }
}

function add(open: readonly Group[], node: Term | Group, isOr: boolean): void {
  const group = open.at(-1);
  const last = group?.any.at(-1);
  if (isOr && last && last.length > 0) group?.any.push([node]);
  else last?.push(node);
}
