/**
 * The rules of style as a test: sizes, imports, homes of outside things, names, comments, and the
 * promises that titles of tests carry.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { blocksOf, isFunction, readSources, root, type Source, targetOf } from './kit/source.ts';

const linesMax = 300;
const functionLinesMax = 70;
const methodsMax = 6;
const importsMax = 10;

const sources = readSources(
  [
    'contracts',
    'runtime',
    'hwm',
    'bridges',
    'worker',
    'beacon',
    'dropin',
    'console',
    'test',
    'bench',
    'scripts',
    'examples',
  ],
  ['vitest.config.ts'],
);
const product = new Set([
  'contracts',
  'runtime',
  'hwm',
  'bridges',
  'worker',
  'beacon',
  'dropin',
  'console',
]);
const productSources = sources.filter((source) => product.has(source.folder));

/** Complaints of a rule over many sources; an empty list is what every rule wants. */
function complaints(
  over: readonly Source[],
  rule: (source: Source) => (string | false)[],
): string[] {
  return over.flatMap((source) =>
    rule(source).flatMap((complaint) =>
      complaint === false ? [] : [`${source.path}: ${complaint}`],
    ),
  );
}

function lineCount(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

test('tidy — the sources were found', () => {
  expect(sources.length).toBeGreaterThan(30);
});

test('tidy — no file is longer than 300 lines', () => {
  expect(
    complaints(sources, ({ text }) => [
      lineCount(text) > linesMax && `${lineCount(text)} lines, at most ${linesMax}`,
    ]),
  ).toEqual([]);
});

test('tidy — no function is longer than 70 lines', () => {
  expect(
    complaints(sources, ({ code }) =>
      blocksOf(code)
        .filter((block) => isFunction(block) && block.lines > functionLinesMax)
        .map(
          (block) =>
            `line ${block.line}: a function of ${block.lines} lines, at most ${functionLinesMax}`,
        ),
    ),
  ).toEqual([]);
});

test('tidy — no interface has more than six methods', () => {
  expect(
    complaints(sources, ({ code }) =>
      blocksOf(code)
        .filter((block) => /\binterface\s+\w+[^;]*$/.test(block.header))
        .map((block) => {
          const methods = [
            ...block.body.matchAll(
              /^\s*(?:readonly\s+)?\w+\??\s*(?:<[^>]*>)?(?:\(|:\s*(?:<[^>]*>)?\([^)]*\)\s*=>)/gm,
            ),
          ].length;
          return (
            methods > methodsMax &&
            `line ${block.line}: an interface of ${methods} methods, at most ${methodsMax}`
          );
        }),
    ),
  ).toEqual([]);
});

test('tidy — no file imports values from more than ten others, but for tests and those that put a process together', () => {
  const composing = /(?:^|\/)(?:compose|main|cli)\.ts$/;
  expect(
    complaints(
      productSources.filter(({ path }) => !composing.test(path)),
      ({ imports }) => {
        const values = imports.filter((one) => !one.isTypeOnly).length;
        return [values > importsMax && `${values} imports, at most ${importsMax}`];
      },
    ),
  ).toEqual([]);
});

test('tidy — every file opens with a comment that says what it is for', () => {
  expect(
    complaints(sources, ({ text }) => [
      !/^(?:#![^\n]*\n)?\/\*\*[\s\S]{20,}?\*\//.test(text) && 'the first line is not a doc comment',
    ]),
  ).toEqual([]);
});

/** Folder -> folders it may import from; those that are not here may import from all. */
const mayImport: Record<string, readonly string[]> = {
  contracts: [],
  runtime: ['contracts'],
  hwm: ['contracts'],
  bridges: ['contracts'],
  worker: ['contracts', 'runtime', 'hwm', 'bridges'],
  beacon: ['contracts', 'runtime'],
  console: ['contracts'],
  dropin: ['contracts'],
};
/** The one command line starts both processes, and reads what a beacon keeps. */
const crossings = new Set([
  'cli/verbs/start-beacon.ts -> beacon/process/command.ts',
  'cli/verbs/start-beacon.ts -> beacon/process/inspect.ts',
]);

test('tidy — folders import only from the folders below them, and nobody from the tests', () => {
  expect(
    complaints(productSources, (source) =>
      source.imports.map(({ from }) => {
        if (!from.startsWith('.')) return false;
        const target = targetOf(source, from);
        const folder = target.split('/')[0] ?? '';
        const isAllowed =
          folder === source.folder ||
          mayImport[source.folder]?.includes(folder) === true ||
          crossings.has(`${source.path} -> ${target}`);
        return !isAllowed && `imports ${target}`;
      }),
    ),
  ).toEqual([]);
});

/** Compose files and mains are started, not built upon. */
const starters: readonly RegExp[] = [
  /^worker\/cli\/[^/]+\.ts -> worker\/(?:main|compose)\.ts$/,
  /^(beacon|worker)\/command\.ts -> \1\/compose\.ts$/,
];

test('tidy — nobody imports a main or a compose file, but what starts it', () => {
  expect(
    complaints(productSources, (source) =>
      source.imports.map(({ from, isTypeOnly }) => {
        if (isTypeOnly || !/\/(?:main|compose)\.ts$/.test(from)) return false;
        const edge = `${source.path} -> ${targetOf(source, from)}`;
        return (
          !starters.some((starter) => starter.test(edge)) && `imports ${targetOf(source, from)}`
        );
      }),
    ),
  ).toEqual([]);
});

/** Outside thing -> its homes; `values` are packages whose types may be imported anywhere. */
const packageHomes: { packages: RegExp; homes: RegExp }[] = [
  {
    packages: /^(?:nats|nats-v2|@nats-io\/nats-core|@nats-io\/transport-node)$/,
    homes: /^(?:runtime\/(?:bus|bus-answer|bus-login|bus-request|stream)|dropin\/link)\.ts$/,
  },
  { packages: /^@nats-io\/jetstream$/, homes: /^runtime\/stream\.ts$/ },
  { packages: /^(?:kysely|pg|mysql2|tedious|tarn)(?:\/|$)/, homes: /^beacon\// },
  {
    packages: /^(?:hono|@hono\/)/,
    homes: /^(?:worker\/http\/[^/]+|beacon\/http|runtime\/http-listener)\.ts$/,
  },
  { packages: /^@opentelemetry\//, homes: /^(?:runtime|worker|beacon)\/trace\.ts$/ },
  { packages: /^@prometheus-io\//, homes: /^(?:worker\/metrics(?:\/[^/]+)?|beacon\/meter)\.ts$/ },
  {
    packages: /^better-sqlite3$/,
    homes:
      /^(?:worker\/state\/connection|beacon\/sqlite\/engine|beacon\/sqlite\/query-thread|beacon\/state)\.ts$/,
  },
];

test('tidy — every outside package has one home', () => {
  expect(
    complaints(productSources, (source) =>
      source.imports.map(({ from, isTypeOnly }) => {
        const home = packageHomes.find(({ packages }) => packages.test(from));
        return (
          home !== undefined &&
          !isTypeOnly &&
          !home.homes.test(source.path) &&
          `imports ${from}, whose home is ${home.homes.source}`
        );
      }),
    ),
  ).toEqual([]);
});

const ambientHomes: { what: string; code: RegExp; homes: RegExp }[] = [
  { what: 'process.env', code: /\bprocess\s*\.\s*env\b/, homes: /(?:^|\/)config\.ts$/ },
  {
    what: 'time and timers',
    code: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bprocess\.hrtime\b|\bset(?:Timeout|Interval|Immediate)\(/,
    homes: /^(?:runtime\/clock|contracts\/client\/stamps)\.ts$/,
  },
  {
    what: 'randomness',
    code: /\bMath\.random\b|\brandomUUID\b|\brandomBytes\s*\(|\bgetRandomValues\b/,
    homes: /^(?:runtime\/clock|contracts\/client\/stamps)\.ts$/,
  },
];

test('tidy — environment, time and randomness are read in their homes only', () => {
  expect(
    complaints(
      productSources.filter((source) => source.folder !== 'console'),
      (source) =>
        ambientHomes.map(({ what, code, homes }) => {
          const given = source.code
            .split('\n')
            .findIndex((line) => code.test(line) && !/\bstamps\b/.test(line));
          return (
            given >= 0 &&
            !homes.test(source.path) &&
            `line ${given + 1}: ${what}, whose home is ${homes.source}`
          );
        }),
    ),
  ).toEqual([]);
});

test('tidy — no barrels and no default exports', () => {
  expect(
    complaints(sources, ({ path, code }) => [
      /^export\s+\*/m.test(code) && 'export *',
      /^export\s*\{[^}]*\}\s*from\b/m.test(code) && 'exports from another file',
      path !== 'vitest.config.ts' && /^export\s+default\b/m.test(code) && 'a default export',
    ]),
  ).toEqual([]);
});

test('tidy — no cycles of imports', () => {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      source.imports
        .filter((one) => one.from.startsWith('.') && !one.isTypeOnly)
        .map((one) => targetOf(source, one.from)),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  expect(cycles).toEqual([]);
});

test('tidy — file names are kebab-case and say what is inside', () => {
  const named = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.config)?\.(?:ts|js)$/;
  const empty = /^(?:utils?|helpers?|types?|common|misc|shared|index)\.(?:ts|js)$/;
  expect(
    complaints(sources, ({ path }) => [
      !named.test(basename(path)) && 'the name is not kebab-case',
      empty.test(basename(path)) && 'the name says nothing',
    ]),
  ).toEqual([]);
});

/** Every text of the repository that a person may read. */
function texts(): { path: string; text: string }[] {
  const folders = [
    '.',
    ...readdirSync(root, { withFileTypes: true })
      .filter(
        (entry) =>
          entry.isDirectory() &&
          !/^(?:node_modules|dist|coverage|tidemark-data|\.git)$/.test(entry.name),
      )
      .map((entry) => entry.name),
  ];
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder !== '.', encoding: 'utf8' })
      .filter(
        (name) => /\.(?:ts|js|json|md|html|css|sh|yml)$/.test(name) && name !== 'package-lock.json',
      )
      .map((name) => ({
        path: join(folder, name),
        text: readFileSync(join(root, folder, name), 'utf8'),
      })),
  );
}

test("tidy — no leftover markers, no skipped tests, no paths of somebody's machine", () => {
  // Put together, so that the rule does not find itself.
  const marker = new RegExp(
    `\b(?:${[
      ['TO', 'DO'],
      ['FIX', 'ME'],
      ['X', 'XX'],
      ['HA', 'CK'],
    ]
      .map((parts) => parts.join(''))
      .join('|')})\b`,
  );
  const skipped = /\b(?:test|it|describe)\.(?:skip|only|todo|skipIf|runIf|fails)\b/;
  const machine = /(?:^|[\s'"`(])\/(?:home|root|Users|work)\/\w/m;
  const others = texts().filter(({ path }) => path !== 'test/tidy.test.ts');
  expect(
    others.flatMap(({ path, text }) => [
      ...(marker.test(text) ? [`${path}: ${marker.exec(text)?.[0]}`] : []),
      ...(path.startsWith('test') && skipped.test(text)
        ? [`${path}: ${skipped.exec(text)?.[0]}`]
        : []),
      ...(machine.test(text) ? [`${path}: a machine's path`] : []),
    ]),
  ).toEqual([]);
});

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

test('tidy — every row of docs/LOCAL-STATE.md has a test whose title carries it, or says which ADR tells why not', () => {
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
    .filter((source) => source.path.endsWith('.test.ts') && source.path !== 'test/tidy.test.ts')
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
