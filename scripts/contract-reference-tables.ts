/**
 * Tables of the contract reference: fields of a JSON Schema, columns of the backend, bounds with
 * their reasons, and types as written in the code.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../contracts/limits.ts';
import { outcomes } from '../contracts/mutation.ts';
import { persistenceSchema, type TableDescriptor } from '../contracts/schema.ts';
import { lanes } from '../contracts/subjects.ts';

const contracts = join(import.meta.dirname, '..', 'contracts');

export type Schema = { [name: string]: unknown };
/** Definitions of the contract schema by name. */
export type Defs = Record<string, Schema>;

/** A table in Markdown. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/** Describes what a schema accepts, in words. */
function typeOf(schema: Schema): string {
  const { $ref, const: one, enum: some, anyOf, oneOf, type, items } = schema;
  if (typeof $ref === 'string') return $ref.replace('#/$defs/', '');
  if (one !== undefined) return `\`${JSON.stringify(one)}\``;
  if (Array.isArray(some)) return some.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  const either = (anyOf ?? oneOf) as Schema[] | undefined;
  if (either) return [...new Set(either.map(typeOf))].join(' or ');
  if (Array.isArray(type)) return type.join(' or ');
  if (type === 'array') return `list of ${items ? typeOf(items as Schema) : 'any'}`;
  return typeof type === 'string' ? type : 'any';
}

/** The bounds stated in the schema itself. */
function boundsOf(schema: Schema): string {
  const words: [name: string, word: (value: string) => string][] = [
    ['minLength', (value) => `at least ${value} characters`],
    ['maxLength', (value) => `at most ${value} characters`],
    ['minimum', (value) => `from ${value}`],
    ['exclusiveMinimum', (value) => `above ${value}`],
    ['maximum', (value) => `to ${value}`],
    ['maxItems', (value) => `at most ${value}`],
    ['pattern', (value) => `\`${value}\``],
  ];
  return words
    .flatMap(([name, word]) =>
      schema[name] === undefined ? [] : [word(String(schema[name] as string | number))],
    )
    .join(', ');
}

function meaningOf(schema: Schema): string {
  return [schema['description'], schema['description'] ? '' : boundsOf(schema)]
    .filter(Boolean)
    .join('; ')
    .replaceAll('|', '\\|');
}

/**
 * The fields of an object by path, including nested objects. Columns of a table are listed only the
 * first time.
 */
function fieldRows(schema: Schema, shown: Set<unknown>, prefix = ''): string[][] {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>;
  const required = new Set((schema['required'] ?? []) as string[]);
  return Object.entries(properties).flatMap(([name, field]) => {
    const isRow =
      typeof field['description'] === 'string' && field['description'].startsWith('fields of ');
    const isKnown = isRow && shown.has(field['description']);
    if (isRow) shown.add(field['description']);
    // A column's description already covers its alternatives.
    const words =
      field['anyOf'] && field['description']
        ? [meaningOf(field), '']
        : [typeOf(field), meaningOf(field) + (isKnown ? ', as above' : '')];
    const row = [
      `\`${prefix}${name}\``,
      words[0] ?? '',
      required.has(name) ? 'yes' : '',
      words[1] ?? '',
    ];
    return field['type'] === 'object' && field['properties'] && !isKnown
      ? [row, ...fieldRows(field, shown, `${prefix}${name}.`)]
      : [row];
  });
}

/** @param shown descriptions of rows whose fields were already listed */
export function fieldTable(schema: Schema, shown = new Set<unknown>()): string {
  return markdownTable(['field', 'type', 'required', 'meaning'], fieldRows(schema, shown));
}

export function columnTable({ Schema, Indexes = [] }: TableDescriptor): string {
  const rows = Schema.map(({ Column, Type, Size }) => {
    const within = Indexes.filter((index) => index.Columns.includes(Column)).map(
      (index) => `${index.Unique ? 'unique ' : ''}(${index.Columns.join(', ')})`,
    );
    return [`\`${Column}\``, Type, Size && /^\d+$/.test(Size) ? Size : '', within.join('; ')];
  });
  return markdownTable(['column', 'type', 'characters', 'index'], rows);
}

export function columnTables(): string {
  return persistenceSchema.Tables.map((one) => `### ${one.Scope}\n\n${columnTable(one)}`).join(
    '\n\n',
  );
}

const units: readonly [ending: RegExp, unit: string][] = [
  [/Ms(?:Max|Min|Default|First|Longest)?$/, 'ms'],
  [/Seconds(?:Max|Min)?$/, 's'],
  [/Bytes(?:Max|Min|Idle)?$/, 'bytes'],
  [/(?:Factor|Share)$/, 'ratio'],
  [/Chars(?:Max)?$/, 'characters'],
];

function unitOf(name: string): string {
  return units.find(([ending]) => ending.test(name))?.[1] ?? '';
}

/** The source of the bounds, in the order in which they are merged. */
function limitSources(): string {
  const merged = readFileSync(join(contracts, 'limits.ts'), 'utf8');
  return [...merged.matchAll(/^ {2}\.\.\.(\w+)Limits,$/gm)]
    .map(([, subject]) => {
      const source = readFileSync(join(contracts, 'limits', `${subject}.ts`), 'utf8');
      return source.slice(source.indexOf(`export const ${subject}Limits`));
    })
    .join('\n');
}

/**
 * Every bound with its value and the comment above it in the code; a bound without a comment shares
 * the one above.
 */
export function limitTable(): string {
  const rows: string[][] = [];
  let reason = '';
  for (const [, comment, name] of limitSources().matchAll(/\/\*\*([\s\S]*?)\*\/|^ {2}(\w+):/gm)) {
    if (comment !== undefined) {
      reason = comment
        .replaceAll(/\s*\n\s*\*?\s*/g, ' ')
        .trim()
        .replaceAll('|', '\\|');
      continue;
    }
    const value = limits[name as keyof typeof limits];
    rows.push([
      `\`${name}\``,
      value.toLocaleString('en-US').replaceAll(',', ' '),
      unitOf(name ?? ''),
      reason,
    ]);
    reason = 'as above';
  }
  return markdownTable(['bound', 'value', 'unit', 'reason'], rows);
}

const lines = readdirSync(contracts, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => readFileSync(join(contracts, file), 'utf8').split('\n'));

/** Types that the code derives from a list. */
const listed: Record<string, readonly string[]> = { Lane: lanes, Outcome: outcomes };

/** A type as written in the code, with its comment; null when no contract defines it. */
function typeText(name: string): string | null {
  const values = listed[name];
  if (values) return `type ${name} = ${values.map((value) => `'${value}'`).join(' | ')};`;
  const start = ['export type', 'type']
    .map((word) =>
      lines.findIndex(
        (line) => line.startsWith(`${word} ${name} `) || line.startsWith(`${word} ${name}<`),
      ),
    )
    .find((at) => at !== -1);
  if (start === undefined) return null;
  let end = start;
  while (!(lines[end] ?? ';').endsWith(';') || /^[ }]/.test(lines[end + 1] ?? '')) end += 1;
  let first = start;
  if ((lines[first - 1] ?? '').endsWith('*/')) {
    do first -= 1;
    while (!(lines[first] ?? '/**').startsWith('/**'));
  }
  return lines
    .slice(first, end + 1)
    .join('\n')
    .replaceAll(/^export /gm, '');
}

/**
 * Types as code, with the types they refer to, each once per page.
 * @throws Error when no contract defines one of the names
 */
export function typeBlock(names: readonly string[], shown: Set<string>): string {
  const texts: string[] = [];
  const queue = [...names];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (shown.has(name)) continue;
    const text = typeText(name);
    if (text === null && names.includes(name)) throw new Error(`no contract has a type ${name}`);
    if (text === null) continue;
    shown.add(name);
    texts.push(text);
    // A name before a colon is a field.
    queue.push(
      ...[...text.replaceAll(/\/\*\*[\s\S]*?\*\//g, '').matchAll(/\b([A-Z]\w+)\b(?!\??:)/g)].map(
        (match) => match[1] ?? '',
      ),
    );
  }
  return ['```ts', texts.join('\n\n'), '```'].join('\n');
}
