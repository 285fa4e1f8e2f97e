/** Sends control requests to the worker of a hub. */
import { userInfo } from 'node:os';
import type { ControlVerb } from '../../contracts/control-verbs.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { subjects } from '../../contracts/subjects.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { isNoResponders } from '../../runtime/bus/bus-answer.ts';
import { createLog } from '../../runtime/log.ts';
import { nobodyAnswers } from '../served-hubs.ts';
import type { CliConfig } from '../settings/config.ts';

/**
 * A worker answers control requests within milliseconds; if it takes longer, treat it as absent.
 */
const answerMs = 5_000;

/** Sends one control request. Slow verbs need a longer timeout. */
export type Ask = <T>(verb: ControlVerb, body?: object, timeoutMs?: number) => Promise<T>;

/**
 * Connects, calls `use`, and closes the connection.
 * @throws TidemarkError UNREACHABLE without a bus, UNAVAILABLE without a worker, otherwise the code
 * of the refusal
 */
export async function withControl<T>(config: CliConfig, use: (ask: Ask) => Promise<T>): Promise<T> {
  const bus = await Bus.connect(
    { ...config.bus, name: 'tidemark-cli', waitForServer: false },
    createLog('tidemark', 'error'),
  );
  try {
    // Not authenticated; the worker only records it in its log of operators.
    const RemoteUser = userInfo().username;
    return await use(async (verb, body = {}, timeoutMs = answerMs) => {
      const subject = subjects.control(config.hub, verb);
      try {
        return await bus.request(subject, { RemoteUser, ...body }, { timeoutMs });
      } catch (error) {
        throw isNoResponders(error) ? await nobodyAnswers(bus, config.hub, error) : error;
      }
    });
  } finally {
    await bus.close();
  }
}

/** Asks the worker; when there is none, does the work here. */
export async function workerOr<T>(
  config: CliConfig,
  ask: (ask: Ask) => Promise<T>,
  here: () => Promise<T> | T,
): Promise<T> {
  let isReached = false;
  try {
    return await withControl(config, (control) =>
      ask(async (verb, body) => {
        const reply = await control(verb, body);
        isReached = true;
        return reply as never;
      }),
    );
  } catch (error) {
    // A worker that stopped answering midway may have done some of it, so do not repeat it here.
    if (isReached || !isAway(error)) throw error;
    return here();
  }
}

/** Whether there was no bus or no worker. */
function isAway(error: unknown): boolean {
  return (
    error instanceof TidemarkError && (error.code === 'UNREACHABLE' || error.code === 'UNAVAILABLE')
  );
}
