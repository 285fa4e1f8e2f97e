/**
 * What a verb's end means to the shell: 0 ok, 1 failed, 2 usage, 3 not found, 4 lock held or
 * unreachable, 5 newer schema, 6 needs attention.
 */
import { CommanderError } from 'commander';
import { messageOf, processExit, TidemarkError } from '../../contracts/errors.ts';

/** Codes of refusals that mean more to a shell than "failed". */
const refusalExit: Readonly<Record<string, number>> = {
  UNAVAILABLE: 4,
  NOT_FOUND: 3,
  INVALID_MESSAGE: 2,
};

export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  if (!(thrown instanceof TidemarkError)) return 1;
  const own: Readonly<Record<string, number>> = processExit;
  return own[thrown.code] ?? refusalExit[thrown.code] ?? 1;
}

/** The line for stderr; null where commander has said it already. A bug in ours keeps its stack. */
export function lineOf(thrown: unknown): string | null {
  if (thrown instanceof CommanderError) return null;
  if (thrown instanceof TidemarkError) return `tidemark: ${thrown.message}`;
  return `tidemark: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)}`;
}
