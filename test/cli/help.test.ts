/**
 * The help: every verb says in one line what it is for, tells of each argument and option, and
 * shows an example that is right.
 */
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../../cli/program.ts';
import { allVerbs } from '../../cli/verbs/top-verbs.ts';
import { topics } from '../../cli/verb.ts';
import { verbGroups } from '../../cli/verbs/verb-groups.ts';
import { runHere } from '../kit/processes/in-process.ts';

const verbs = allVerbs();

function commandOf(path: string): Command {
  return path.split(' ').reduce(
    (command, word) => command.commands.find((one) => one.name() === word) ?? command,
    buildProgram(() => undefined),
  );
}

/** Words as a shell makes them, up to a pipe or a remark. */
function wordsOf(example: string): string[] {
  const line = example.replace(/\s+#.*$/, '').replace(/ [|>].*$/, '');
  return [...line.matchAll(/"([^"]*)"|\S+/g)].map((match) => match[1] ?? match[0]);
}

describe.each(verbs)('$path', ({ path, spec }) => {
  test('its help: one line of summary, common options, an example', async () => {
    const { code, stdout, stderr } = await runHere([...path.split(' '), '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replace(/\s+/g, ' ')).toContain(spec.summary);
    expect(spec.summary).toMatch(/^[a-z].{8,110}[^.]$/);
    expect(
      ['--nats', '--hub', '--data', '--json', '--help'].filter(
        (option) => !stdout.includes(option),
      ),
    ).toEqual([]);
    expect(stdout).toMatch(new RegExp(`Examples:\\n  tidemark ${path}`));
    expect(await runHere(['help', ...path.split(' ')])).toMatchObject({ code: 0, stdout });
  });

  test('every argument and option is described', () => {
    const { registeredArguments, options } = commandOf(path);
    expect(
      [...registeredArguments, ...options.filter((one) => !one.hidden)].filter(
        (one) => one.description.length < 3,
      ),
    ).toEqual([]);
  });

  test('its examples are right', () => {
    const wrong = (spec.examples ?? []).filter((example) => {
      const ran: string[] = [];
      const program = buildProgram(() => undefined);
      const command = path
        .split(' ')
        .reduce((one, word) => one.commands.find((child) => child.name() === word) ?? one, program);
      command.action(() => void ran.push(path));
      program.parse(wordsOf(example), { from: 'user' });
      return ran.length !== 1;
    });
    expect(wrong).toEqual([]);
  });
});

test('tidemark help shows all verbs in their groups, short; tidemark alone shows the same, exit 2', async () => {
  const help = await runHere(['help']);
  const alone = await runHere([]);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(alone).toEqual({ code: 2, stdout: '', stderr: help.stdout });
  expect(await runHere(['--help'])).toEqual(help);
  expect(help.stdout.trimEnd().split('\n').length).toBeLessThan(60);
  const headings = Object.values(topics);
  expect(help.stdout.split('\n').filter((line) => headings.includes(line as never))).toEqual(
    headings,
  );
  for (const name of [
    ...verbs.map(({ path }) => path).filter((path) => !path.includes(' ')),
    ...verbGroups.map((one) => one.name),
  ])
    expect(help.stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
});

test.each(verbGroups.map(({ name, verbs: under }) => [name, under] as const))(
  'tidemark %s lists its verbs',
  async (name, under) => {
    const help = await runHere([name, '--help']);
    expect(help.code).toBe(0);
    for (const { name: verb } of under)
      expect(help.stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    expect(await runHere([name])).toEqual({ code: 2, stdout: '', stderr: help.stdout });
  },
);

test('every verb without a group has its place in the help', () => {
  expect(
    verbs
      .filter(({ path, spec }) => !path.includes(' ') && spec.topic === undefined)
      .map(({ path }) => path),
  ).toEqual([]);
});

test.each([
  ['hwm ls', 'hwm show'],
  ['dead-letters list', 'dead-letters ls'],
  ['journal list', 'journal ls'],
  ['config ls', 'config show'],
  ['ops ls', 'ops status'],
  ['ops log', 'ops history'],
])('%s is %s', async (alias, verb) => {
  expect((await runHere([...alias.split(' '), '--help'])).stdout).toBe(
    (await runHere([...verb.split(' '), '--help'])).stdout,
  );
});
