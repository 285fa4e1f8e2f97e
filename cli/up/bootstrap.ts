/**
 * Bootstraps a fresh worker: assigns the beacon once the worker answers, and waits until both lanes
 * are bootstrapped.
 */
import type { ControlVerb } from '../../contracts/control-verbs.ts';
import { messageOf } from '../../contracts/errors.ts';
import type { WorkerStatus } from '../../contracts/status.ts';
import { subjects } from '../../contracts/subjects.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';

const pollMs = 50;
const answerMs = 2_000;
/** How often to report what is still missing. */
const sayEveryMs = 5_000;

export type FirstAssignment = { BeaconID: string; IDBeaconConnection: number };
export type BootstrapOptions = { say: (line: string) => void; stop: AbortSignal };

/**
 * Keeps an assignment that an operator has already made.
 * @returns true once the worker is bootstrapped, false when stopped before
 */
export async function bootstrap(
  options: Omit<BusOptions, 'name'>,
  hub: string,
  assignment: FirstAssignment,
  { say, stop }: BootstrapOptions,
): Promise<boolean> {
  const bus = await Bus.connect({ ...options, name: 'tidemark-up' }, createLog('up', 'error'));
  const ask = <T>(verb: ControlVerb, body: object) =>
    bus.request<T>(subjects.control(hub, verb), body, { timeoutMs: answerMs });
  let saidMs = systemClock.monotonicMs();
  try {
    while (!stop.aborted) {
      let waitsFor: string;
      try {
        const status = await ask<WorkerStatus>('status', {});
        const isAssigned = [status.Queue, status.Manifest].some(
          (lane) => lane.AssignedBy === 'operator',
        );
        if (!isAssigned) await ask('assign', assignment);
        else if (status.State === 'bootstrapped') return true;
        waitsFor = `${status.State}${lastErrorOf(status)}`;
      } catch (error) {
        waitsFor = messageOf(error);
      }
      if (systemClock.monotonicMs() - saidMs > sayEveryMs) {
        saidMs = systemClock.monotonicMs();
        say(`not ready yet: ${waitsFor}`);
      }
      await systemClock.sleep(pollMs, stop);
    }
    return false;
  } finally {
    await bus.close();
  }
}

function lastErrorOf(status: WorkerStatus): string {
  const error = status.Queue.LastError ?? status.Manifest.LastError;
  return error === null ? '' : `, ${error}`;
}
