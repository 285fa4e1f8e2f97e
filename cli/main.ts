/** Entry point of the command line: arguments in, exit code out. */
import { ignoreClosedPipes } from './terminal/writer.ts';
import { runCommandLine } from './program.ts';

ignoreClosedPipes();

process.exitCode = await runCommandLine(process.argv.slice(2));
