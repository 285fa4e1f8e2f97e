/** Messages for a mistyped command line: what is wrong, and the right word, in one or two lines. */
import type { Command, CommanderError, Option } from 'commander';
import { nearestOf } from './nearest.ts';
import { otherGroupVerbs, otherOptions, otherVerbs } from './other-words.ts';

/** Dashes that word processors and chat programs put in place of "-" and "--". */
const longDash = /^[\u2010-\u2015\u2212]+-*(?=[a-z])/i;

/**
 * Mistakes to report before parsing: an unknown verb, or a typographic dash. Null when there is
 * none.
 */
export function typedWrong(program: Command, args: readonly string[]): string | null {
  const options = new Set(
    allCommands(program).flatMap((one) => one.options.map(({ long }) => long)),
  );
  for (const arg of args) {
    const meant = arg.replace(longDash, '--');
    if (meant !== arg && options.has(meant.split('=')[0] ?? ''))
      return `${JSON.stringify(arg)} begins with another dash than "-"; did you mean ${meant}?`;
  }
  const [first, second] = args;
  if (first === undefined || first.startsWith('-')) return null;
  const verb = find(program, first);
  if (!verb) return unknownVerb(program, args);
  const isGroup = isGroupOf(program, verb);
  if (!isGroup || second === undefined || second.startsWith('-') || find(verb, second)) return null;
  return unknownUnder(verb, second);
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function find(parent: Command, word: string): Command | undefined {
  return parent.commands.find((one) => one.name() === word || one.aliases().includes(word));
}

function isGroupOf(program: Command, command: Command): boolean {
  return command.parent === program && command.commands.length > 0 && command.options.length === 0;
}

function unknownVerb(program: Command, args: readonly string[]): string {
  const [typed = '', next] = args;
  const said = `unknown verb ${JSON.stringify(typed)}`;
  const other = own(otherVerbs, typed.toLowerCase());
  if (other) return `${said}; there is ${orOf(other.map((line) => `tidemark ${line}`))}`;
  const group = program.commands.find((one) => find(one, typed));
  const nearest = nearestOf(
    typed,
    program.commands.map((one) => one.name()),
  );
  const isNear = nearest !== null && typed !== '';
  if (isNear)
    return `${said}; did you mean ${[nearest, ...behind(program, nearest, next)].join(' ')}?`;
  if (group) return `${said}; did you mean ${group.name()} ${typed}?`;
  return `${said}; tidemark help lists the verbs`;
}

/** The verb of a group that the next word probably means. */
function behind(program: Command, name: string, next: string | undefined): string[] {
  const verb = find(program, name);
  if (!verb || next === undefined || !isGroupOf(program, verb)) return [];
  const found = find(verb, next)?.name() ?? meantUnder(verb, next);
  return found ? [found] : [];
}

function unknownUnder(group: Command, typed: string): string {
  const meant = meantUnder(group, typed);
  const known = group.commands.map((one) => one.name()).join(', ');
  return (
    `unknown verb ${JSON.stringify(typed)} of ${group.name()}; ` +
    (meant ? `did you mean ${group.name()} ${meant}?` : `there are ${known}`)
  );
}

function meantUnder(group: Command, typed: string): string | null {
  const names = group.commands.map((one) => one.name());
  return (
    (own(otherGroupVerbs, typed.toLowerCase()) ?? []).find((one) => names.includes(one)) ??
    nearestOf(typed, names)
  );
}

/** The message for a parser error; null when it is not an error, or was already printed. */
export function hint(
  program: Command,
  args: readonly string[],
  error: CommanderError,
): string | null {
  const command = commandAt(program, args);
  const message = error.message.replace(/^error: /, '').replace(/\.$/, '');
  switch (error.code) {
    case 'commander.unknownOption':
      return `tidemark: ${unknownOption(program, command, args, /'(.+)'/.exec(message)?.[1] ?? '')}`;
    case 'commander.excessArguments':
      return `tidemark: ${tooMany(program, command, args)}`;
    case 'commander.missingArgument':
    case 'commander.missingMandatoryOptionValue':
    case 'commander.optionMissingArgument':
    case 'commander.invalidArgument':
      return `tidemark: ${message}\n${usage(command)}`;
    default:
      return null;
  }
}

function usage(command: Command): string {
  const mandatory = command.options
    .filter((one) => one.mandatory)
    .map((one) => `${one.flags} `)
    .join('');
  return `usage: ${pathOf(command)} ${mandatory}${command.usage().trim()}`;
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** The verb that the words lead to. */
function commandAt(program: Command, args: readonly string[]): Command {
  let command = program;
  for (const word of args) {
    const next = find(command, word);
    if (next) command = next;
  }
  return command;
}

function unknownOption(
  program: Command,
  command: Command,
  args: readonly string[],
  typed: string,
): string {
  const said = `unknown option ${typed}`;
  if (command === program || args[0]?.startsWith('-')) {
    const verb = args.find((word) => find(program, word));
    if (/^(?:-v|--ver)/.test(typed)) return `${said}; did you mean --version?`;
    return verb
      ? `${said} before the verb; options come after it: tidemark ${verb} ${typed}`
      : `${said}; tidemark help lists the verbs`;
  }
  const bare = typed.replace(/^-+/, '').split('=')[0] ?? '';
  const flag = command.options.find((one) => one.long === `--${bare}`);
  if (flag)
    return typed.includes('=')
      ? `${flag.long} takes no value; give it alone`
      : `${said} of ${command.name()}; did you mean ${flag.flags}?`;
  const having = allCommands(program)
    .filter((one) => one.options.some(({ long }) => long === `--${bare}`))
    .map((one) => pathOf(one));
  const meant = meantOption(command.options, bare, having.length === 0);
  if (meant) return `${said} of ${command.name()}; did you mean ${meant.flags}?`;
  if (having.length > 0)
    return `${said} of ${command.name()}; it belongs to ${orOf(having.slice(0, 4))}`;
  return `${said} of ${command.name()}; ${pathOf(command)} --help lists them`;
}

/** By another tool's name for it or, if no verb has the option, by similar spelling. */
function meantOption(
  options: readonly Option[],
  bare: string,
  isGuessed: boolean,
): Option | undefined {
  const shown = options.filter((one) => !one.hidden);
  const longs = (own(otherOptions, bare.toLowerCase()) ?? []).filter((long) =>
    shown.some((one) => one.long === long),
  );
  const long =
    longs[0] ??
    (isGuessed
      ? `--${
          nearestOf(
            bare,
            shown.map((one) => one.long?.slice(2) ?? ''),
          ) ?? ''
        }`
      : '');
  return shown.find((one) => one.long === long);
}

function tooMany(program: Command, command: Command, args: readonly string[]): string {
  const given = args
    .filter((word) => !word.startsWith('-'))
    .slice(pathOf(command).split(' ').length - 1);
  const taken = command.registeredArguments.length;
  const extra = given[taken] ?? given.at(-1) ?? '';
  const pair = given.find((word) =>
    command.options.some(({ long }) => long === `--${word.split('=')[0]}`),
  );
  if (pair)
    return `${JSON.stringify(pair)} is one word too many for ${command.name()}; did you mean --${pair}?`;
  const under = command.commands.length > 0 ? meantUnder(command, extra) : null;
  if (under)
    return `unknown verb ${JSON.stringify(extra)} of ${command.name()}; did you mean ${command.name()} ${under}?`;
  const rule = taken === 0 ? 'it takes none' : `it takes ${taken}`;
  return (
    `${JSON.stringify(extra)} is one argument too many for ` +
    `${pathOf(command).replace(`${program.name()} `, '')}, ${rule}\n${usage(command)}`
  );
}

function orOf(lines: readonly string[]): string {
  return lines.length < 2 ? lines.join('') : `${lines.slice(0, -1).join(', ')} or ${lines.at(-1)}`;
}

function own<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
