/** Builds the program with all its verbs, and runs one command line. */
import { Command, CommanderError } from 'commander';
import { messageOf, processExit, TidemarkError } from '../contracts/errors.ts';
import { hint, typedWrong } from './terminal/mistakes.ts';
import { say } from './terminal/output.ts';
import { writeErr, writeOut } from './terminal/writer.ts';
import { topVerbs } from './verbs/top-verbs.ts';
import { packageVersion } from './terminal/version.ts';
import { addGroup, addVerb, type Ended, topics } from './verb.ts';
import { verbGroups } from './verbs/verb-groups.ts';

const summary =
  'Keeps every write of a hub in a local journal before answering, and delivers it to ' +
  'a database in order, exactly once in effect.';

/** Refusals with an exit code of their own instead of 1. */
const refusalExit: Readonly<Record<string, number>> = {
  UNAVAILABLE: 4,
  NOT_FOUND: 3,
  INVALID_MESSAGE: 2,
};

/** Builds the command line without running it. */
export function buildProgram(ended: Ended): Command {
  const program = new Command('tidemark')
    .description(summary)
    .usage('<verb> [options]')
    .version(packageVersion(), '-V, --version', 'the version')
    .helpOption('-h, --help', 'this help; tidemark help <verb> explains one verb')
    .helpCommand(false)
    .configureHelp({
      minWidthToWrap: 20,
      subcommandTerm: (verb) =>
        [
          verb.name(),
          ...verb.registeredArguments.map((one) =>
            one.required ? `<${one.name()}>` : `[${one.name()}]`,
          ),
        ].join(' '),
    })
    // Silences commander's messages about mistakes; ours are printed when it throws.
    .configureOutput({ outputError: () => undefined, writeOut, writeErr });
  for (const topic of Object.keys(topics) as (keyof typeof topics)[]) {
    for (const spec of topVerbs.filter((one) => (one.topic ?? 'look') === topic))
      addVerb(program, spec, ended);
    for (const group of verbGroups.filter((one) => one.topic === topic))
      addGroup(program, group, ended);
  }
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}

/** Turns `help hwm set` into `hwm set --help`. */
function spelledOut([first, ...rest]: readonly string[]): string[] {
  if (first === undefined) return [];
  return first === 'help'
    ? [...rest.filter((word) => !word.startsWith('-')), '--help']
    : [first, ...rest];
}

/**
 * Runs one command line. Never throws; errors are on stderr.
 * @returns the exit code
 */
export async function runCommandLine(typed: readonly string[]): Promise<number> {
  let code = 0;
  const args = spelledOut(typed);
  const program = buildProgram((ended) => {
    code = ended;
  });
  const wrong = typedWrong(program, args);
  if (wrong !== null) {
    say(`tidemark: ${wrong}`);
    return 2;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (thrown) {
    const line = thrown instanceof CommanderError ? hint(program, args, thrown) : lineOf(thrown);
    if (line !== null) say(line);
    return exitCodeOf(thrown);
  }
}

/**
 * The exit code: 0 ok, 1 failed, 2 usage, 3 not found, 4 lock held or unreachable, 5 newer schema,
 * 6 needs attention.
 */
function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  if (!(thrown instanceof TidemarkError)) return 1;
  const own: Readonly<Record<string, number>> = processExit;
  return own[thrown.code] ?? refusalExit[thrown.code] ?? 1;
}

/**
 * The line for stderr; null when commander has already printed it. A bug of ours keeps its stack.
 */
function lineOf(thrown: unknown): string | null {
  if (thrown instanceof CommanderError) return null;
  if (thrown instanceof TidemarkError) return `tidemark: ${thrown.message}`;
  return `tidemark: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)}`;
}
