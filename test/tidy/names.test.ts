/** Names of files, what they export, and what must not be left in any text of the repository. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root, sourceOf } from '../kit/source.ts';
import { each, holds, sources } from '../kit/tidy.ts';

holds('no barrels and no default exports', {
  over: sources,
  rule: each(({ path, code }) => [
    /^export\s+\*/m.test(code) && 'export *',
    /^export\s*\{[^}]*\}\s*from\b/m.test(code) && 'exports from another file',
    path !== 'vitest.config.ts' && /^export\s+default\b/m.test(code) && 'a default export',
  ]),
  planted: [[sourceOf('contracts/a.ts', "export * from './b.ts';\n")]],
});

const named = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.config)?\.(?:ts|js|cjs)$/;
const empty = /^(?:utils?|helpers?|types?|common|misc|shared|index)\.(?:ts|js)$/;

holds('file names are kebab-case and say what is inside', {
  over: sources,
  rule: each(({ path }) => [
    !named.test(basename(path)) && 'the name is not kebab-case',
    empty.test(basename(path)) && 'the name says nothing',
  ]),
  planted: [[sourceOf('worker/state/utils.ts', '')]],
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

// Put together, so that the rule does not find itself.
const markers = [
  ['TO', 'DO'],
  ['FIX', 'ME'],
  ['X', 'XX'],
  ['HA', 'CK'],
].map((parts) => parts.join(''));
const marker = new RegExp(`\\b(?:${markers.join('|')})\\b`);
const skipped = /\b(?:test|it|describe)\.(?:skip|only|todo|skipIf|runIf|fails)\b/;
const machine = /(?:^|[\s'"`(])\/(?:home|root|Users|work)\/\w/m;

holds("no leftover markers, no skipped tests, no paths of somebody's machine", {
  over: texts()
    .filter(({ path }) => path !== 'test/tidy/names.test.ts')
    .map(({ path, text }) => sourceOf(path, text)),
  rule: each(({ path, text }) => [
    marker.test(text) && (marker.exec(text)?.[0] ?? ''),
    path.startsWith('test') && skipped.test(text) && (skipped.exec(text)?.[0] ?? ''),
    machine.test(text) && "a machine's path",
  ]),
  planted: [[sourceOf('docs/a.md', `${markers[0]}: later\n`)]],
});
