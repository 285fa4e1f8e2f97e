/** Entry of the command line: arguments in, exit code out. */
import { ignoreClosedPipes } from './cli/output.ts';
import { runCommandLine } from './cli/program.ts';

ignoreClosedPipes();

process.exitCode = await runCommandLine(process.argv.slice(2));
