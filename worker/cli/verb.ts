/** A verb of the command line as data, and how it becomes a command: every verb has the same common options. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CliConfig, type Flags, loadConfig } from './config.ts';

/** What a verb gets: the resolved configuration, its own options, and its arguments in order. */
export type VerbCall = { config: CliConfig; flags: Flags; args: string[]; isJson: boolean };

export type VerbSpec = {
  name: string;
  summary: string;
  /** In commander's notation: `<guid>`, `[file...]`. */
  args?: readonly (readonly [notation: string, about: string])[];
  options?: readonly Option[];
  /** Examples and remarks under the help. */
  notes?: string;
  /** Verbs under this one, by a word behind it. */
  verbs?: readonly VerbSpec[];
  /** The exit code; 0 when it returns nothing. */
  run: (call: VerbCall) => Promise<number | void> | number | void;
};

/** Told the exit code of the verb that ran. */
export type Ended = (code: number) => void;

export function addVerb(parent: Command, spec: VerbSpec, ended: Ended): void {
  const command = parent.command(spec.name).description(spec.summary);
  for (const [notation, about] of spec.args ?? []) command.argument(notation, about);
  for (const option of spec.options ?? []) command.addOption(option);
  addCommonOptions(command);
  if (spec.notes) command.addHelpText('after', `\n${spec.notes}`);
  // What stands behind a verb under this one is that verb's; commander wants to hear it all the way down.
  if (spec.verbs) for (const above of [parent, command]) above.enablePositionalOptions();
  for (const verb of spec.verbs ?? []) addVerb(command, verb, ended);
  command.action(async () => {
    const flags = command.opts<Flags>();
    const args = command.processedArgs.flat().filter((arg) => arg !== undefined) as string[];
    ended((await spec.run({ config: loadConfig(flags), flags, args, isJson: flags['json'] === true })) ?? 0);
  });
}

function addCommonOptions(command: Command): void {
  command
    .option('--nats <url>', 'bus (default: $NATS_URL, then the bus of an `up` on --data, then nats://127.0.0.1:4222)')
    .option('--context <name>', 'bus and login of a context of the nats command line (default: $NATS_CONTEXT)')
    .option('--hub <id>', 'hub (default: hub1)')
    .option('--data <folder>', 'data directory (default: ./tidemark-data)')
    .option('--config <file>', 'configuration file (default: ./tidemark.json, if there)')
    .option('--json', 'results as JSON')
    .addOption(new Option('--log-level <level>', 'debug, info, warn, error or silent (default: info)'));
}

/** For options that are a count: an integer of at least `least`. */
export function countFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`expected an integer of at least ${least}.`);
    return value;
  };
}

/** For options that may be given several times. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

export const anyFileSystem = new Option('--any-file-system', 'take a data directory on a network or memory file system, at your own risk').preset('1');
