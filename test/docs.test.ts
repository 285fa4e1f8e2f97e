/**
 * What the documents say is there: every command line with its verb and options, every link and
 * every file with its target, every alert with a place to read on.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { buildProgram } from '../cli/program.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const folders = ['docs', 'examples', 'deploy'].filter((folder) => existsSync(join(root, folder)));
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
].map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

/** Anchors as GitHub makes them of headings. */
function anchorsOf(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
      heading
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('documents were found', () => {
  expect(documents.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      'README.md',
      join('docs', 'QUICKSTART.md'),
      join('docs', 'NIGHT-CALL.md'),
      join('docs', 'UPGRADE-BACKUP.md'),
      join('docs', 'MIGRATING.md'),
    ]),
  );
});

test('every relative link leads to a file, and every anchor to a heading', () => {
  const broken = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)|<img src="([^"]+)"/g)].flatMap(([, plain, image]) => {
      const link = plain ?? image ?? '';
      if (/^[a-z]+:/.test(link)) return [];
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? join(root, path) : join(root, dirname(path), file);
      if (!existsSync(target)) return [`${path}: ${link}`];
      if (anchor === undefined || !target.endsWith('.md')) return [];
      return anchorsOf(readFileSync(target, 'utf8')).has(anchor)
        ? []
        : [`${path}: ${link}, in ${relative(root, target)}`];
    }),
  );
  expect(broken).toEqual([]);
});

/** `a/{b,c}.ts` as `a/b.ts` and `a/c.ts`. */
function spelledOut(name: string): string[] {
  const list = /^(.*?)\{([^}]*)\}(.*)$/.exec(name);
  if (!list) return [name];
  const [, before = '', parts = '', after = ''] = list;
  return parts.split(',').flatMap((part) => spelledOut(`${before}${part}${after}`));
}

/** Whether there is such a file; `*` stands for any part of its name. */
function isThere(name: string): boolean {
  if (!name.includes('*')) return existsSync(join(root, name));
  const folder = join(root, dirname(name));
  const pattern = new RegExp(`^${basename(name).replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
  return existsSync(folder) && readdirSync(folder).some((one) => pattern.test(one));
}

/** Files of this repository that a text names in code spans, by their paths from the root. */
function filesNamedIn(text: string): string[] {
  return [
    ...text.matchAll(
      /`((?:[\w@.{},*-]+\/)+[\w@.{},*-]+\.(?:[cm]?[jt]s|css|html|jsonl?|md|sql|ya?ml))`/g,
    ),
  ].flatMap(([, name = '']) => spelledOut(name));
}

test('every file that a code span names by its path is there', () => {
  const named = documents.flatMap(({ path, text }) =>
    filesNamedIn(text).map((name) => ({ path, name })),
  );
  expect(named.length).toBeGreaterThan(80);
  expect(
    named.filter(({ name }) => !isThere(name)).map(({ path, name }) => `${path}: ${name}`),
  ).toEqual([]);
});

test('a file that is not there would be found', () => {
  const text = 'see `worker/replay/{replay,replya}.ts`, `docs/adr/0001-*.md` and `test/no-*.ts`';
  expect(filesNamedIn(text).filter((name) => !isThere(name))).toEqual([
    'worker/replay/replya.ts',
    'test/no-*.ts',
  ]);
});

test.each(['worker', 'beacon'])('every room of %s/ is on the map, and no other', (folder) => {
  const text = readFileSync(join(root, 'docs', 'ARCHITECTURE.md'), 'utf8');
  const map = new RegExp(`^ {4}${folder}/\\n((?: {6}.*\\n)+)`, 'm').exec(text)?.[1] ?? '';
  const rooms = readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const named = [...map.matchAll(/^ {6}([\w-]+)\//gm)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(rooms.toSorted());
});

test('every test that a row of LOCAL-STATE.md names is there', () => {
  const named = documents
    .filter(({ path }) => path === join('docs', 'LOCAL-STATE.md'))
    .flatMap(({ text }) => [...text.matchAll(/^\| [A-D]\d+ \|.*\| (`.*`) \|$/gm)])
    .flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
  expect(named.length).toBeGreaterThan(100);
  expect(named.filter((name) => !isThere(`test/${name}.test.ts`))).toEqual([]);
});

/** Pairs of a test's file and words of its title in the last cells of a text's tables. */
function heldBy(text: string): { file: string; title: string }[] {
  return [...text.matchAll(/^\|.*\| ([^|]+) \|$/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([\w/-]+)`: (.+?)(?=; `|$)/g)].map(([, file = '', title = '']) => ({
      file: `test/${file}.test.ts`,
      title,
    })),
  );
}

/** Whether a line of the file that gives a test its title has these words. */
function isTitleThere({ file, title }: { file: string; title: string }): boolean {
  return isThere(file) && readFileSync(join(root, file), 'utf8').includes(title);
}

test('every test that a line of the threat model names is there, by its title', () => {
  const text = readFileSync(join(root, 'docs', 'SECURITY.md'), 'utf8');
  const model = /^## What each could do$([\s\S]*?)^## /m.exec(text)?.[1] ?? '';
  const lines = [...model.matchAll(/^\| (?!who|-).+$/gm)].map(([line]) => line);
  expect(lines.filter((line) => heldBy(line).length === 0)).toEqual([]);
  expect(lines.length).toBeGreaterThanOrEqual(20);
  const named = heldBy(model);
  expect(named.filter((one) => !isTitleThere(one))).toEqual([]);
});

test('a test of the threat model that is not there would be found', () => {
  // Put together, so that the rule does not find itself.
  const missing = ['no such', 'title'].join(' ');
  const [good, bad] = heldBy(`| a | b | c | \`docs\`: would be found; \`docs\`: ${missing} |`);
  expect(good && isTitleThere(good)).toBe(true);
  expect(bad && isTitleThere(bad)).toBe(false);
});

/** Commands in code spans and indented blocks, without comments, each as its words. */
function commandsOf(text: string): string[][] {
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  // What stands behind three blanks is about the command.
  const lines = text
    .split('\n')
    .filter((line) => /^ {4}/.test(line))
    .map((line) =>
      line
        .trim()
        .replace(/ {3,}.*$/, '')
        .replace(/\s#\s.*$/, ''),
    );
  return [...spans, ...lines]
    .flatMap((line) => line.split(/&&|;|\|/))
    .flatMap((command) => {
      const words = command.trim().split(/\s+/);
      const at = words.findIndex((word) => word === 'tidemark' || word.endsWith('/tidemark'));
      const before = words.slice(0, at);
      const isOurs =
        at >= 0 &&
        before.every(
          (word) =>
            ['npx', 'docker', 'compose', 'exec', 'worker'].includes(word) ||
            word.endsWith('/.bin/tidemark'),
        );
      return isOurs && /^(?:[a-z]|--[a-z])/.test(words[at + 1] ?? '') ? [words.slice(at + 1)] : [];
    });
}

const program = buildProgram(() => undefined);

/** What is wrong with a command, or null. */
function complaintOf(words: readonly string[]): string | null {
  let verb = program;
  let depth = 0;
  for (const word of words) {
    const next = verb.commands.find((one) => one.name() === word);
    if (!next) break;
    verb = next;
    depth += 1;
  }
  const rest = words[depth] ?? '';
  if (
    verb.commands.length > 0 &&
    verb.registeredArguments.length === 0 &&
    /^[a-z][a-z-]+$/.test(rest)
  )
    return `${verb.name()} has no verb ${rest}`;
  const known = [...verb.options.map((option) => option.long), '--help', '--version'];
  const unknown = words
    .flatMap((word) => /^\[?(--[a-z-]+)/.exec(word)?.[1] ?? [])
    .filter((option) => !known.includes(option));
  return unknown.length > 0
    ? `${words.slice(0, depth).join(' ')} has no ${unknown.join(', ')}`
    : null;
}

test('every command line names a verb there is, with options it has', () => {
  const commands = documents
    .filter(({ path }) => path !== 'CHANGELOG.md')
    .flatMap(({ path, text }) => commandsOf(text).map((words) => ({ path, words })));
  expect(commands.length).toBeGreaterThan(80);
  const wrong: string[] = [];
  for (const { path, words } of commands) {
    const complaint = complaintOf(words);
    if (complaint) wrong.push(`${path}: tidemark ${words.join(' ')}: ${complaint}`);
  }
  expect(wrong).toEqual([]);
});

test('a wrong verb and a wrong option would be found', () => {
  expect(complaintOf(['statos'])).toContain('no verb statos');
  expect(complaintOf(['journal', 'exprot'])).toContain('no verb exprot');
  expect(complaintOf(['journal', 'export', '--outt', 'x'])).toContain('--outt');
  expect(complaintOf(['dead-letters', 'retry', '<seq>'])).toBeNull();
});

test('every alert has a row in NIGHT-CALL.md', () => {
  const alerts = join(root, 'deploy', 'prometheus', 'alerts.yml');
  const names = existsSync(alerts)
    ? [...readFileSync(alerts, 'utf8').matchAll(/alert: (\w+)/g)].map(([, name = '']) => name)
    : [];
  const text = readFileSync(join(root, 'docs', 'NIGHT-CALL.md'), 'utf8');
  expect(names.filter((name) => !text.includes(name))).toEqual([]);
});

test('every runbook of an alert leads to a heading', () => {
  const alerts = readFileSync(join(root, 'deploy', 'prometheus', 'alerts.yml'), 'utf8');
  const runbooks = [...alerts.matchAll(/runbook: '([^'#]+)#([^']+)'/g)];
  expect(runbooks.length).toBeGreaterThan(10);
  const lost = runbooks.filter(
    ([, file = '', anchor = '']) => !anchorsOf(readFileSync(join(root, file), 'utf8')).has(anchor),
  );
  expect(lost.map(([runbook]) => runbook)).toEqual([]);
});

test('every class of fault that the sources name has a row in NIGHT-CALL.md', () => {
  const sources = readdirSync(join(root, 'worker'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(root, 'worker', name), 'utf8'));
  const classes = new Set(
    sources.flatMap((text) =>
      [
        ...text.matchAll(/\bClass: (?:'([a-z-]+)'|\w+(?:\.\w+)* \? '([a-z-]+)' : '([a-z-]+)')/g),
      ].flatMap(([, ...found]) => found.filter((one) => one !== undefined)),
    ),
  );
  const kinds =
    /export type FaultClass = ([^;]+);/.exec(
      readFileSync(join(root, 'worker', 'state', 'guard', 'storage-error.ts'), 'utf8'),
    )?.[1] ?? '';
  for (const [, name = ''] of kinds.matchAll(/'([a-z]+)'/g)) classes.add(name);
  expect(classes.size).toBeGreaterThan(15);
  const text = readFileSync(join(root, 'docs', 'NIGHT-CALL.md'), 'utf8');
  expect([...classes].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});
