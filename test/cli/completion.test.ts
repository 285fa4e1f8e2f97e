/** Completion as a real bash does it: verbs, those under them, options, files. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { tempFolder } from './fixture.ts';
import { runHere } from './in-process.ts';

/** What bash offers behind these words; the last may be unfinished. */
async function offered(...words: string[]): Promise<string[]> {
  const folder = tempFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const { stdout: script } = await runHere(['completion', 'bash']);
  writeFileSync(join(folder.path, 'completion.sh'), script);
  writeFileSync(join(folder.path, 'trace.jsonl'), '');
  const line = ['tidemark', ...words].map((word) => `'${word}'`).join(' ');
  const { stdout } = await promisify(execFile)('bash', ['-c', `source ./completion.sh; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _tidemark; printf '%s\\n' "\${COMPREPLY[@]}"`], { cwd: folder.path });
  return stdout.trim().split('\n').sort();
}

test.each<[string, string[], string[]]>([
  ['verbs', ['st'], ['status']], ['groups', ['dead'], ['dead-letters']], ['verbs of a group', ['dead-letters', ''], ['--help', 'drop', 'ls', 'retry', 'show']], ['a verb under a verb', ['beacon', 'au'], ['audit']],
  ['options', ['hwm', 'set', '--re'], ['--reason']], ['options behind options', ['journal', 'ls', '--limit', '5', '--af'], ['--after']], ['files', ['publish', 'tra'], ['trace.jsonl']],
  ['a verb that is a word of another', ['status', '--off'], ['--offline']], ['a group does not offer options of its verbs', ['hwm', '--re'], ['']],
])('%s', async (_, words, expected) => {
  expect(await offered(...words)).toEqual(expected);
});

test('zsh takes the same through its own bridge, fish has a line for each', async () => {
  expect((await runHere(['completion', 'zsh'])).stdout).toMatch(/^#compdef tidemark\n[\s\S]*complete -F _tidemark tidemark/);
  const { stdout } = await runHere(['completion', 'fish']);
  expect(stdout).toContain("complete -c tidemark -n '__fish_seen_subcommand_from hwm; and __fish_seen_subcommand_from set' -l reason");
  expect(stdout).toMatch(/__fish_use_subcommand' -f -a '[^']*\bstatus\b/);
});
