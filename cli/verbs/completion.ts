/** The verb that prints completion for a shell. */
import { TidemarkError } from '../../contracts/errors.ts';
import { completionFor, type Shell, shells } from '../terminal/completion.ts';
import { print, printJson } from '../terminal/output.ts';
import type { VerbCall, VerbSpec } from '../verb.ts';

export const completionVerbs: readonly VerbSpec[] = [
  {
    name: 'completion',
    summary: 'completion of verbs and options for a shell',
    topic: 'look',
    run: showCompletion,
    args: [['<shell>', shells.join(', ')]],
    examples: [
      'completion bash > /etc/bash_completion.d/tidemark',
      'completion zsh > ~/.zfunc/_tidemark',
      'completion fish > ~/.config/fish/completions/tidemark.fish',
    ],
  },
];

function showCompletion({ args, program, isJson }: VerbCall): void {
  const [shell] = args;
  if (!shells.includes(shell as Shell))
    throw new TidemarkError(
      'CONFIG_INVALID',
      `shell ${JSON.stringify(shell)}: expected one of ${shells.join(', ')}`,
    );
  const Script = completionFor(shell as Shell, program);
  if (isJson) printJson({ Shell: shell, Script });
  else print(Script.trimEnd());
}
