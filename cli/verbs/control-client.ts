/** Control requests to the worker of a hub, as the verbs make them. */
import { userInfo } from 'node:os';
import type { ControlVerb } from '../../contracts/control-verbs.ts';
import { subjects } from '../../contracts/subjects.ts';
import { Bus } from '../../runtime/bus/bus.ts';
import { isNoResponders } from '../../runtime/bus/bus-answer.ts';
import { createLog } from '../../runtime/log.ts';
import { nobodyAnswers } from '../served-hubs.ts';
import type { CliConfig } from '../settings/config.ts';

/** A worker answers control within milliseconds; longer is as good as not there. */
const answerMs = 5_000;

/** Asks one thing; some take longer. */
export type Ask = <T>(verb: ControlVerb, body?: object, timeoutMs?: number) => Promise<T>;

/**
 * Connects, lets `use` ask, and closes.
 * @throws TidemarkError UNREACHABLE without a bus, UNAVAILABLE without a worker, else the code of
 * the refusal
 */
export async function withControl<T>(config: CliConfig, use: (ask: Ask) => Promise<T>): Promise<T> {
  const bus = await Bus.connect(
    { ...config.bus, name: 'tidemark-cli', waitForServer: false },
    createLog('tidemark', 'error'),
  );
  try {
    // Not proven to the worker, but what its log of operators can say.
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
