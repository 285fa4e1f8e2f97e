/** Bounds on lines, files, functions, interfaces, imports and folders, as the formatter writes. */
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { blocksOf, isFunction, root, sourceOf } from '../kit/source.ts';
import { each, holds, productSources, sourceFolders, sources } from '../kit/tidy.ts';

const max = { columns: 120, lines: 300, functionLines: 70, methods: 6, imports: 10, files: 20 };

function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n');
}

holds('no line is longer than 120 characters', {
  over: sources,
  rule: each(({ text }) =>
    linesOf(text).map(
      (line, at) => line.length > max.columns && `line ${at + 1} has ${line.length} characters`,
    ),
  ),
  planted: [[sourceOf('worker/a.ts', `'${'x'.repeat(max.columns)}';\n`)]],
});

holds('no file is longer than 300 lines', {
  over: sources,
  rule: each(({ text }) => [linesOf(text).length > max.lines && `${linesOf(text).length} lines`]),
  planted: [[sourceOf('test/a.ts', '\n'.repeat(max.lines + 1))]],
});

holds('no function is longer than 70 lines', {
  over: sources,
  rule: each(({ code }) =>
    blocksOf(code)
      .filter((block) => isFunction(block) && block.lines > max.functionLines)
      .map((block) => `line ${block.line}: a function of ${block.lines} lines`),
  ),
  planted: [[sourceOf('cli/a.ts', `function a(): void {${'\n'.repeat(max.functionLines)}}\n`)]],
});

const method = /^\s*(?:readonly\s+)?\w+\??\s*(?:<[^>]*>)?(?:\(|:\s*(?:<[^>]*>)?\([^)]*\)\s*=>)/gm;

holds('no interface has more than six methods', {
  over: sources,
  rule: each(({ code }) =>
    blocksOf(code)
      .filter((block) => /\binterface\s+\w+[^;]*$/.test(block.header))
      .map(({ line, body }) => {
        const methods = [...body.matchAll(method)].length;
        return methods > max.methods && `line ${line}: an interface of ${methods} methods`;
      }),
  ),
  planted: [
    [
      sourceOf(
        'hwm/a.ts',
        `interface A {\n${Array.from({ length: max.methods + 1 }, (_, n) => `m${n}(): void;`).join('\n')}\n}`,
      ),
    ],
  ],
});

/** They put a process together, so they know its parts. */
const composing = /(?:^|\/)(?:compose|core|main|cli)\.ts$/;

holds('no file imports values from more than ten others, but what composes a process', {
  over: productSources,
  rule: each(({ path, imports }) => {
    const values = imports.filter((one) => !one.isTypeOnly).length;
    return [!composing.test(path) && values > max.imports && `${values} imports`];
  }),
  planted: [
    [
      sourceOf(
        'worker/a.ts',
        Array.from(
          { length: max.imports + 1 },
          (_, n) => `import { a${n} } from './b${n}.ts';`,
        ).join('\n'),
      ),
    ],
  ],
});

holds('every file opens with a comment that says what it is for', {
  over: sources,
  rule: each(({ text }) => [
    !/^(?:#![^\n]*\n)?\/\*\*[\s\S]{20,}?\*\//.test(text) && 'the first line is not a doc comment',
  ]),
  planted: [[sourceOf('bench/a.ts', "import { a } from './b.ts';\n")]],
});

/** Folders with more files directly in them than one can take in. */
function crowded(paths: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  return [...counts].flatMap(([folder, count]) =>
    count > max.files ? [`${folder}: ${count} files`] : [],
  );
}

test('tidy — no folder has more than twenty files directly in it', () => {
  const paths = sourceFolders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  );
  expect(paths.length).toBeGreaterThan(30);
  expect(crowded(paths)).toEqual([]);
  expect(crowded(Array.from({ length: max.files + 1 }, (_, n) => `worker/a/${n}.ts`))).not.toEqual(
    [],
  );
});
