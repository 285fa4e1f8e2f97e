/** The verb that looks everything over and says what wants attention. */
import { messageOf, processExit, TidemarkError } from '../../contracts/errors.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { systemClock } from '../../runtime/clock.ts';
import { type Check, examine } from '../doctor.ts';
import type { CliConfig } from './config.ts';
import { withControl } from './control.ts';
import { print, printJson, table } from './output.ts';
import { accessVerbs } from './verbs-access.ts';
import type { VerbCall, VerbSpec } from './verb.ts';

export const inspectVerbs: readonly VerbSpec[] = [
  { name: 'doctor', summary: 'look over data directory, bus and worker; changes nothing, exit 6 when something wants attention', topic: 'look', run: doctor, examples: ['doctor', 'doctor --data /var/lib/tidemark --json'] },
  ...accessVerbs,
];

async function doctor({ config, isJson }: VerbCall): Promise<number> {
  const Checks = [...examine(config.data, systemClock.nowMs()), ...(await reachable(config))];
  if (isJson) printJson({ Data: config.data, Checks });
  else print(table(['', 'check', 'found', 'to do'], Checks.map(({ Level, Name, What, Do }) => [Level, Name, What, Do])));
  return Checks.every(({ Level }) => Level === 'ok') ? 0 : processExit.ATTENTION;
}

async function reachable(config: CliConfig): Promise<Check[]> {
  const bus = { Name: 'bus', Level: 'ok', What: `answers at ${config.bus.servers}`, Do: '' } as const;
  try {
    const { State } = await withControl(config, (ask) => ask<WorkerStatus>('status'));
    const isWell = State !== 'error';
    return [bus, { Name: 'answers', Level: isWell ? 'ok' : 'warn', What: `worker of hub ${config.hub}: ${State}`, Do: isWell ? '' : 'tidemark status names the error' }];
  } catch (error) {
    const isBusAway = error instanceof TidemarkError && error.code === 'UNREACHABLE';
    if (isBusAway) return [{ Name: 'bus', Level: 'warn', What: messageOf(error), Do: 'start it, or name it with --nats' }];
    return [bus, { Name: 'answers', Level: 'warn', What: messageOf(error), Do: `start the worker of hub ${config.hub}` }];
  }
}
