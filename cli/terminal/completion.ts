/** Shell completion: verbs, subverbs and options, generated from the verb definitions. */
import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

type Choice = { word: string; about: string };
/** What may follow a verb. */
type Place = {
  verbs: Choice[];
  options: (Choice & { takesValue: boolean })[];
  takesWords: boolean;
};
/** Verbs before the cursor, joined by blanks -> what may follow. */
type Places = Map<string, Place>;

export function completionFor(shell: Shell, program: Command): string {
  const places = placesOf(program);
  return { bash, zsh, fish }[shell](places);
}

function placesOf(program: Command): Places {
  const places: Places = new Map();
  const visit = (path: string, command: Command): void => {
    places.set(path, {
      verbs: command.commands.map((one) => ({
        word: one.name(),
        about: one.summary() || one.description(),
      })),
      options: [
        ...command.options.filter((one) => !one.hidden).flatMap(optionOf),
        { word: '--help', about: 'this help', takesValue: false },
      ],
      takesWords: command.registeredArguments.length > 0,
    });
    for (const child of command.commands)
      visit(path === '' ? child.name() : `${path} ${child.name()}`, child);
  };
  visit('', program);
  places.get('')?.verbs.push({ word: 'help', about: 'tells more of a verb' });
  return places;
}

function optionOf({ long, description, required }: Option): Place['options'] {
  return long ? [{ word: long, about: description, takesValue: required }] : [];
}

/** Every path to a verb, as one word each. */
const pathsOf = (places: Places) =>
  [...places.keys()].filter((path) => path !== '').map((path) => path.replaceAll(' ', '/'));
/** Options that take a value. An option name takes one with every verb, or with none. */
const valuedOf = (places: Places) => [
  ...new Set(
    [...places.values()].flatMap(({ options }) =>
      options.filter((one) => one.takesValue).map(({ word }) => word),
    ),
  ),
];

/**
 * The verb is the longest path at the start of the words. Files are offered for option values and
 * for arguments.
 */
function bash(places: Places): string {
  const cases = [...places].map(
    ([path, { verbs, options }]) =>
      `    '${path}') words='${[...verbs, ...options].map(({ word }) => word).join(' ')}' ;;`,
  );
  return `# bash completion for tidemark: source it, or put it into the folder of bash-completion
_tidemark() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' words='' at word
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case " ${pathsOf(places).join(' ')} " in
      *" \${path:+\${path// //}/}$word "*) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    ${valuedOf(places).join('|')}) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ \${#COMPREPLY[@]} -eq 0 && "$current" != -* ]] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _tidemark tidemark
`;
}

/**
 * Uses zsh's own completion system: bash's, through zsh's bridge, offers no files there and does
 * not react to the first key press.
 */
function zsh(places: Places): string {
  const told = (choices: readonly Choice[]) =>
    choices.map(({ word, about }) => quoted(`${word}:${about.replaceAll(':', '\\:')}`)).join(' ');
  const cases = [...places].map(
    ([path, { verbs, options }]) =>
      `    '${path}') verbs=(${told(verbs)}); options=(${told(options)}) ;;`,
  );
  return `#compdef tidemark
# zsh completion for tidemark: put it into a folder of $fpath as _tidemark, or source it behind compinit
_tidemark() {
  local verb='' word
  local -a verbs options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case " ${pathsOf(places).join(' ')} " in
      *" \${verb:+\${verb// //}/}$word "*) verb="\${verb:+$verb }$word" ;;
    esac
  done
  case "$verb" in
${cases.join('\n')}
  esac
  case "\${words[CURRENT-1]}" in
    ${valuedOf(places).join('|')}) _files; return ;;
  esac
  if [[ $PREFIX == -* ]]; then _describe -o option options
  elif (( \${#verbs} )); then _describe verb verbs
  else _files
  fi
}
if [[ \${funcstack[1]} == _tidemark ]]; then _tidemark "$@"; else compdef _tidemark tidemark; fi
`;
}

function fish(places: Places): string {
  const lines = [...places].flatMap(([path, { verbs, options, takesWords }]) => {
    const here = `complete -c tidemark -n '${`__tidemark_at ${path}`.trim()}'`;
    return [
      ...(takesWords ? [] : [`${here} -f`]),
      ...verbs.map(({ word, about }) => `${here} -a ${word} -d ${quotedInFish(about)}`),
      ...options.map(
        ({ word, about, takesValue }) =>
          `${here} -l ${word.slice(2)}${takesValue ? ' -r -F' : ''} -d ${quotedInFish(about)}`,
      ),
    ];
  });
  return `# fish completion for tidemark: put it into ~/.config/fish/completions/tidemark.fish
function __tidemark_at --description 'these are the verbs before the cursor'
    set -l path
    for word in (commandline -opc)[2..]
        if contains -- (string join -- / $path $word) ${pathsOf(places).join(' ')}
            set -a path $word
        end
    end
    test "$path" = "$argv"
end
${lines.join('\n')}
`;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const quotedInFish = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
