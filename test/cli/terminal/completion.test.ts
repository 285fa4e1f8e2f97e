/** Completion as a real bash, zsh and fish do it: verbs, those under them, options, files. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command, Option } from 'commander';
import { expect, onTestFinished, test } from 'vitest';
import { buildProgram } from '../../../cli/program.ts';
import { findServer } from '../../kit/servers/database-server.ts';
import { tempFolder } from '../../kit/processes/cli-fixture.ts';
import { runHere } from '../../kit/processes/in-process.ts';

/** What bash offers behind these words; the last may be unfinished. */
async function offered(...words: string[]): Promise<string[]> {
  const folder = tempFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const { stdout: script } = await runHere(['completion', 'bash']);
  writeFileSync(join(folder.path, 'completion.sh'), script);
  writeFileSync(join(folder.path, 'trace.jsonl'), '');
  const line = ['tidemark', ...words].map((word) => `'${word}'`).join(' ');
  const { stdout } = await promisify(execFile)(
    'bash',
    [
      '-c',
      `source ./completion.sh; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; ` +
        `_tidemark; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ],
    { cwd: folder.path },
  );
  return stdout.trim().split('\n').sort();
}

test.each<[string, string[], string[]]>([
  ['verbs', ['st'], ['status']],
  ['groups', ['dead'], ['dead-letters']],
  ['verbs of a group', ['dead-letters', ''], ['--help', 'drop', 'ls', 'retry', 'show']],
  ['a verb under a verb', ['beacon', 'au'], ['audit']],
  ['options', ['hwm', 'set', '--re'], ['--reason']],
  ['options behind options', ['journal', 'ls', '--limit', '5', '--af'], ['--after']],
  ['files', ['publish', 'tra'], ['trace.jsonl']],
  ['files as the value of an option', ['journal', 'ls', '--data', 'tra'], ['trace.jsonl']],
  [
    'no options where a value stands',
    ['journal', 'ls', '--data', ''],
    ['completion.sh', 'trace.jsonl'],
  ],
  ['a verb that is a word of another', ['status', '--off'], ['--offline']],
  ['a group does not offer options of its verbs', ['hwm', '--re'], ['']],
])('%s', async (_, words, expected) => {
  expect(await offered(...words)).toEqual(expected);
});

const fish = () => findServer({ binary: 'fish', folders: () => ['/usr/bin'], package: 'fish' });
const zsh = () =>
  findServer({ binary: 'zsh', folders: () => ['/usr/bin', '/bin'], package: 'zsh' });

/** A folder with the script for a shell, under a name, and a file to be completed. */
async function folderWith(shell: string, name: string): Promise<string> {
  const folder = tempFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  writeFileSync(join(folder.path, name), (await runHere(['completion', shell])).stdout);
  writeFileSync(join(folder.path, 'trace.jsonl'), '');
  return folder.path;
}

test(
  'fish offers verbs, options and files, and nothing that belongs elsewhere',
  { timeout: 120_000 },
  async () => {
    const cwd = await folderWith('fish', 'tidemark.fish');
    const lines = [
      'st',
      'dead',
      'dead-letters ',
      'beacon au',
      'hwm set --rea',
      'journal ls --limit 5 --af',
      'publish tra',
      'hwm --re',
      'journal verify --data tra',
      'journal ls ',
      'help stat',
    ];
    const program = `source tidemark.fish; ${lines.map((line) => `complete -C 'tidemark ${line}'; echo =`).join('; ')}`;
    const { stdout, stderr } = await promisify(execFile)(fish(), ['--no-config', '-c', program], {
      cwd,
      env: { HOME: cwd, PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
    });
    expect(stderr).toBe('');
    const answers = stdout.split('=\n').map((answer) =>
      answer
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split('\t')[0]),
    );
    expect(Object.fromEntries(lines.map((line, n) => [line, answers[n]]))).toEqual({
      st: ['status'],
      dead: ['dead-letters'],
      'dead-letters ': ['drop', 'ls', 'retry', 'show'],
      'beacon au': ['audit'],
      'hwm set --rea': ['--reason'],
      'journal ls --limit 5 --af': ['--after'],
      'publish tra': ['trace.jsonl'],
      'hwm --re': [],
      'journal verify --data tra': ['trace.jsonl'],
      'journal ls ': [],
      'help stat': ['status'],
    });
  },
);

/** An interactive zsh on a terminal of its own; ^T completes, and shows the line as it is then. */
const zshPty = `
zmodload zsh/zpty
zpty shell "$1" -d -i
zpty -r shell shown '*<<ready>>*'
for line in "\${@[2,-1]}"; do
  zpty -n -w shell "$line"$'\\x14'
  zpty -r shell shown '*<<*>>*'
  print -r -- "\${\${shown##*<<}%%>>*}"
done
zpty -d shell
`;

test.each(['found by compinit, at the first key', 'sourced'])(
  'zsh completes verbs, options and files: %s',
  { timeout: 120_000 },
  async (how) => {
    const cwd = await folderWith('zsh', '_tidemark');
    const begin =
      how === 'sourced'
        ? 'autoload -Uz compinit; compinit -u -D; source ./_tidemark'
        : 'fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D';
    writeFileSync(
      join(cwd, '.zshrc'),
      `${begin}\nPS1=\nprobe() { zle complete-word; print -r -- "<<$BUFFER>>"; BUFFER= ` +
        `}\nzle -N probe\nzle-line-init() { print '<<ready>>' }\nzle -N ` +
        `zle-line-init\nbindkey '^T' probe\n`,
    );
    const lines = [
      'dead-letters sh',
      'statu',
      'hwm set --rea',
      'beacon au',
      'journal ls --limit 5 --af',
      'publish tra',
      'journal verify --data tra',
      'hwm --re',
    ];
    const env = {
      HOME: cwd,
      ZDOTDIR: cwd,
      TERM: 'dumb',
      PATH: process.env['PATH'],
      LC_ALL: 'C.UTF-8',
    };
    const { stdout } = await promisify(execFile)(
      zsh(),
      ['-f', '-c', zshPty, 'zsh', zsh(), ...lines.map((line) => `tidemark ${line}`)],
      { cwd, env, timeout: 20_000 },
    );
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(
      [
        'dead-letters show',
        'status',
        'hwm set --reason',
        'beacon audit',
        'journal ls --limit 5 --after',
        'publish trace.jsonl',
        'journal verify --data trace.jsonl',
        'hwm --re',
      ].map((line) => `tidemark ${line}`),
    );
  },
);

test('no option takes a value in one verb and none in another: bash and zsh know options by name alone', () => {
  const all = (command: Command): readonly Option[] => [
    ...command.options,
    ...command.commands.flatMap(all),
  ];
  const options = all(buildProgram(() => undefined));
  const valued = new Set(options.filter((one) => one.required).map((one) => one.long));
  expect(
    options.filter((one) => !one.required && valued.has(one.long)).map((one) => one.long),
  ).toEqual([]);
});
