/** docs/CONTRACT.md is what the code says, leaves nothing out, and points at what is there. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readActions, writeActions } from '../../contracts/actions.ts';
import { refusalStatus } from '../../contracts/errors.ts';
import { limits } from '../../contracts/limits.ts';
import { persistenceSchema } from '../../contracts/schema.ts';
import {
  contractReferencePath,
  contractReferenceText,
} from '../../scripts/write-contract-reference.ts';
import { controlVerbNames } from '../../contracts/control-verbs.ts';

const text = contractReferenceText();

test('docs/CONTRACT.md is what `npm run contract:reference` would write', () => {
  expect(readFileSync(contractReferencePath, 'utf8')).toBe(text);
});

test('every action, code, verb, bound and column is in it', () => {
  const columns = persistenceSchema.Tables.flatMap((table) =>
    table.Schema.map((column) => column.Column),
  );
  const names = [
    ...Object.keys(refusalStatus),
    ...controlVerbNames,
    ...Object.keys(limits),
    ...columns,
  ].map((name) => `| \`${name}\` |`);
  const headings = [...writeActions, ...readActions].map((action) => `### ${action}\n`);
  expect([...names, ...headings].filter((part) => !text.includes(part))).toEqual([]);
});

test('every bound has its figure, and a reason of its own or of the one above', () => {
  const rows = [
    ...text
      .slice(text.indexOf('\n## Bounds'))
      .matchAll(/^\| `(\w+)` \| ([\d .]+) \| ([\w ]*) \| (.*) \|$/gm),
  ];
  expect(rows.map(([, name]) => name)).toEqual(Object.keys(limits));
  expect(rows.map(([, , value = '']) => Number(value.replaceAll(' ', '')))).toEqual(
    Object.values(limits),
  );
  expect(rows.filter(([, , , , reason = '']) => reason.length < 8).map(([, name]) => name)).toEqual(
    [],
  );
});

test('tables are whole, types are defined, and links lead to files', () => {
  const tables = text
    .trimEnd()
    .split('\n\n')
    .filter((part) => part.startsWith('| '));
  const cells = (line: string) => line.replaceAll('\\|', '').split('|').length;
  expect(tables.filter((table) => new Set(table.split('\n').map(cells)).size !== 1)).toEqual([]);
  const code = [...text.matchAll(/```ts\n([\s\S]*?)```/g)]
    .map((match) => match[1])
    .join('\n')
    .replaceAll(/\/\*\*[\s\S]*?\*\//g, '');
  const names = [...code.matchAll(/^type (\w+)/gm)].map((match) => match[1]);
  const defined = new Set(names);
  expect(names.length).toBe(defined.size);
  const used = [...code.replaceAll(/'[^']*'/g, '').matchAll(/\b([A-Z]\w+)\b(?!\??:)/g)].map(
    (match) => match[1] ?? '',
  );
  expect(
    [...new Set(used)].filter(
      (name) => !defined.has(name) && !['Record', 'Readonly', 'Partial'].includes(name),
    ),
  ).toEqual([]);
  const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
  expect(links.filter((link) => !existsSync(join(dirname(contractReferencePath), link)))).toEqual(
    [],
  );
});
