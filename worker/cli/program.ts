/** All verbs in one program, and the run of one command line. */
import { Command } from 'commander';
import { exitCodeOf, lineOf } from './exit-code.ts';
import { say } from './output.ts';
import { packageVersion } from './version.ts';
import { addVerb, type Ended } from './verb.ts';
import { verbGroups } from './verb-groups.ts';
import { controlVerbs } from './verbs-control.ts';
import { inspectVerbs } from './verbs-inspect.ts';
import { runVerbs } from './verbs-run.ts';
import { traceVerbs } from './verbs-trace.ts';

/** The command line without running it. */
export function buildProgram(ended: Ended): Command {
  const program = new Command('tidemark')
    .description('Keeps every write of a hub in a local journal before answering, and delivers it to a database in order, once in effect.')
    .version(packageVersion(), '--version')
    .helpCommand('help [verb]', 'help on one verb')
    .showHelpAfterError('(tidemark --help lists the verbs)')
    .configureOutput({ writeErr: (text) => process.stderr.write(text) });
  for (const spec of [...runVerbs, ...traceVerbs, ...controlVerbs, ...inspectVerbs]) addVerb(program, spec, ended);
  for (const [name, summary, verbs] of verbGroups) {
    const group = program.command(name).description(summary);
    for (const spec of verbs) addVerb(group, spec, ended);
  }
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) throwInsteadOfExit(child);
}

/** Runs one command line to its end. Never throws; what went wrong is on stderr. @returns the exit code */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let code = 0;
  try {
    await buildProgram((ended) => { code = ended; }).parseAsync([...args], { from: 'user' });
    return code;
  } catch (thrown) {
    const line = lineOf(thrown);
    if (line !== null) say(line);
    return exitCodeOf(thrown);
  }
}
