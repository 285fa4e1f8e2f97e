/**
 * A verb of the command line as data, and how it becomes a command. Every verb has the same common
 * options, a summary and examples.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CliConfig, loadConfig } from './settings/config.ts';
import type { Flags } from './settings/settings.ts';

/**
 * What a verb is called with: the resolved configuration, its own options, its arguments in order,
 * and the program with all verbs.
 */
export type VerbCall = {
  config: CliConfig;
  flags: Flags;
  args: string[];
  isJson: boolean;
  program: Command;
};

/** Headings for the verbs, in the order of the help; `look` changes nothing. */
export const topics = {
  run: 'Run:',
  look: 'Look:',
  act: 'Act:',
  repair: 'Repair and maintain:',
} as const;
export type Topic = keyof typeof topics;

export type VerbSpec = {
  name: string;
  summary: string;
  /** The heading for a verb that is in no group. */
  topic?: Topic;
  /** Another name, where users of similar tools would try it. */
  alias?: string;
  /** In commander's notation: `<guid>`, `[file...]`. */
  args?: readonly (readonly [notation: string, about: string])[];
  options?: readonly Option[];
  /** Whole command lines without the program's name; a remark may follow after `#`. */
  examples?: readonly string[];
  /** Remarks below the help. */
  notes?: string;
  /** Verbs below this one. */
  verbs?: readonly VerbSpec[];
  run: (call: VerbCall) => Promise<number | void> | number | void;
};

/** Verbs grouped under one word. */
export type VerbGroup = { name: string; summary: string; topic: Topic; verbs: readonly VerbSpec[] };

/** Called with the exit code of the verb that ran. */
export type Ended = (code: number) => void;

export function addVerb(parent: Command, spec: VerbSpec, ended: Ended): void {
  const command = parent
    .command(spec.name)
    .description(spec.summary)
    .summary(spec.summary.split(';')[0] ?? '');
  if (spec.topic) command.helpGroup(topics[spec.topic]);
  if (spec.alias) command.alias(spec.alias);
  for (const [notation, about] of spec.args ?? []) command.argument(notation, about);
  for (const option of spec.options ?? []) command.addOption(option);
  addCommonOptions(command);
  if (spec.notes) command.addHelpText('after', `\n${spec.notes}`);
  if (spec.examples)
    command.addHelpText(
      'after',
      `\nExamples:\n${spec.examples.map((line) => `  tidemark ${line}`).join('\n')}`,
    );
  // Options after a verb below this one belong to that verb. Commander needs this set on every
  // command above it.
  if (spec.verbs) for (const above of [parent, command]) above.enablePositionalOptions();
  for (const verb of spec.verbs ?? []) addVerb(command, verb, ended);
  command.action(async () => {
    const flags = command.opts<Flags>();
    const args = command.processedArgs.flat().filter((arg) => arg !== undefined) as string[];
    ended(
      (await spec.run({
        config: loadConfig(flags),
        flags,
        args,
        isJson: flags['json'] === true,
        program: rootOf(command),
      })) ?? 0,
    );
  });
}

function rootOf(command: Command): Command {
  return command.parent ? rootOf(command.parent) : command;
}

export function addGroup(
  program: Command,
  { name, summary, topic, verbs }: VerbGroup,
  ended: Ended,
): void {
  const group = program
    .command(name)
    .description(summary)
    .usage('<verb> [options]')
    .helpGroup(topics[topic])
    .commandsGroup('Verbs:')
    .helpCommand(false)
    .helpOption('-h, --help', 'this help');
  for (const spec of verbs) addVerb(group, spec, ended);
}

const commonHeading = 'Options of every verb:';

function addCommonOptions(command: Command): void {
  const common = [
    new Option(
      '--nats <url>',
      'bus, or several servers of it with commas (default: $NATS_URL, then the bus of an `up` ' +
        'on --data, then nats://127.0.0.1:4222)',
    ),
    new Option(
      '--context <name>',
      'bus and login of a context of the nats command line (default: $NATS_CONTEXT)',
    ),
    new Option(
      '--hub <id>',
      'hub (default: $TIDEMARK_HUB, then the hub of an `up` on --data, then hub1)',
    ),
    new Option('--data <folder>', 'data directory (default: ./tidemark-data)'),
    new Option('--config <file>', 'configuration file (default: ./tidemark.json, if there)'),
    new Option('--json', 'results as JSON'),
    new Option('--log-level <level>', 'debug, info, warn, error or silent (default: info)'),
  ];
  for (const option of common) command.addOption(option.helpGroup(commonHeading));
  command.helpOption('-h, --help', 'this help');
}

/** Parses an option that is a count: an integer of at least `least`. */
export function countFrom(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range =
    most === Number.MAX_SAFE_INTEGER
      ? `an integer of at least ${least}`
      : `an integer from ${least} to ${most}`;
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`expected ${range}.`);
    return value;
  };
}

/** Parses an option that may be given several times. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

export const acceptUnscoped = new Option(
  '--accept-unscoped',
  'hear beacons and workers that name no hub in their subjects too, as those of 0.1.0: for an upgrade',
).preset('1');

export const takeOver = new Option(
  '--take-over',
  'serve the hub although another store owns it: that one ends, and its later writes are refused; ' +
    'said once, by hand',
).preset('1');

export const anyFileSystem = new Option(
  '--any-file-system',
  'take a data directory on a network or memory file system, at your own risk',
).preset('1');
