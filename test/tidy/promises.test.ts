/** Promises that titles of tests carry: invariants, defects, and rows of the local state. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../kit/source.ts';
import { sources } from '../kit/tidy.ts';

const titles = sources
  .filter((source) => source.path.endsWith('.test.ts'))
  .flatMap(({ text }) =>
    [
      ...text.matchAll(
        /\b(?:test|it|describe)(?:\.\w+)*(?:\([^'"`]*\))?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g,
      ),
    ].map((match) => match[2] ?? ''),
  );

test('tidy — every invariant has a test whose title carries its number', () => {
  const invariants = Array.from({ length: 10 }, (_, index) => `I${index + 1}`);
  expect(
    invariants.filter((name) => !titles.some((title) => new RegExp(`\\b${name}\\b`).test(title))),
  ).toEqual([]);
});

test('tidy — every defect in docs/DEFECTS.md has a test whose title carries its number', () => {
  const path = join(root, 'docs', 'DEFECTS.md');
  const numbers = existsSync(path)
    ? [...readFileSync(path, 'utf8').matchAll(/^\|?\s*D?(\d+)\s*[|.]/gm)].map((match) => match[1])
    : [];
  const named = (number: string | undefined) =>
    titles.some((title) =>
      new RegExp(`\\bD${number}\\b|\\bdefects? (?:\\d+(?:, | and ))*${number}\\b`).test(title),
    );
  expect(numbers.filter((number) => !named(number))).toEqual([]);
});

test('tidy — every row of docs/LOCAL-STATE.md has a test whose title carries it, or an ADR', () => {
  const rows = [
    ...readFileSync(join(root, 'docs', 'LOCAL-STATE.md'), 'utf8').matchAll(
      /^\| ([ABCD]\d+) \|(.*)$/gm,
    ),
  ];
  expect(rows.map(([, row]) => row)).toEqual(
    [
      ['A', 17],
      ['B', 19],
      ['C', 18],
      ['D', 18],
    ].flatMap(([table, count]) =>
      Array.from({ length: Number(count) }, (_, n) => `${table}${n + 1}`),
    ),
  );
  const texts = sources
    .filter((source) => source.path.endsWith('.test.ts') && !source.path.startsWith('test/tidy/'))
    .flatMap(({ text }) =>
      [...text.matchAll(/(['"`])((?:(?!\1)[^\\\n])*)\1/g)].map((match) => match[2] ?? ''),
    );
  const isNamed = (row: string) => texts.some((title) => new RegExp(`\\b${row}\\b`).test(title));
  expect(
    rows
      .filter(([, row = '', about = '']) => !/ADR \d{4}/.test(about) && !isNamed(row))
      .map(([, row]) => row),
  ).toEqual([]);
});
