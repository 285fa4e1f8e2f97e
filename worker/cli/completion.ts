/** Completion for shells: verbs, those under them and options, from the verbs themselves. */
import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** Words before the cursor, as one line -> what may follow. */
type Choices = Map<string, string[]>;

export function completionFor(shell: Shell, program: Command): string {
  const choices = choicesOf(program);
  return shell === 'fish' ? fish(choices) : shell === 'zsh' ? `#compdef tidemark\nautoload -U +X bashcompinit && bashcompinit\n${bash(choices)}` : bash(choices);
}

function choicesOf(program: Command): Choices {
  const choices: Choices = new Map();
  const visit = (path: string, command: Command): void => {
    const words = [...command.commands.map((one) => one.name()), ...command.options.filter((one) => !one.hidden).flatMap((one) => one.long ?? []), '--help'];
    choices.set(path, words);
    for (const child of command.commands) visit(path === '' ? child.name() : `${path} ${child.name()}`, child);
  };
  visit('', program);
  choices.get('')?.push('help');
  return choices;
}

/** The verb is the longest path that the words begin with; behind an option that names a file the shell's own completion goes on. */
function bash(choices: Choices): string {
  const cases = [...choices].map(([path, words]) => `    ${path === '' ? "''" : `'${path}'`}) words='${words.join(' ')}' ;;`);
  return `# bash completion for tidemark: source it, or put it into the folder of bash-completion
_tidemark() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' words='' at word
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case " ${[...choices.keys()].filter((path) => path !== '').map((path) => path.replaceAll(' ', '/')).join(' ')} " in
      *" \${path:+\${path// //}/}$word "*) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ \${#COMPREPLY[@]} -eq 0 && "$current" != -* ]] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _tidemark tidemark
`;
}

function fish(choices: Choices): string {
  const lines = [...choices].flatMap(([path, words]) => {
    const under = path === '' ? '__fish_use_subcommand' : path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    const verbs = words.filter((word) => !word.startsWith('-'));
    const options = words.filter((word) => word.startsWith('--'));
    return [
      ...(verbs.length > 0 ? [`complete -c tidemark -n '${under}' -f -a '${verbs.join(' ')}'`] : []),
      ...options.map((word) => `complete -c tidemark -n '${under}' -l ${word.slice(2)}`),
    ];
  });
  return `# fish completion for tidemark: put it into ~/.config/fish/completions/tidemark.fish\n${lines.join('\n')}\n`;
}
