/** Explains that no worker of a hub answers: names the hubs served on this bus, and what to do. */
import { TidemarkError } from '../contracts/errors.ts';
import { isJsonObject } from '../contracts/body/json-value.ts';
import { limits } from '../contracts/limits.ts';
import { isSubjectToken, services } from '../contracts/subjects.ts';
import type { Bus } from '../runtime/bus/bus.ts';

/** Workers answer within milliseconds, and a person is waiting. */
const askMs = 1_000;
/** More hubs do not fit on one line. */
const hubsShownMax = 8;

/** Never throws: if asking for the hubs fails too, the error still says that nobody answers. */
export async function nobodyAnswers(bus: Bus, hub: string, cause: unknown): Promise<TidemarkError> {
  const served = await hubsServed(bus);
  const shown = served.slice(0, hubsShownMax).join(', ');
  const more = served.length > hubsShownMax ? ` and ${served.length - hubsShownMax} more` : '';
  return new TidemarkError(
    'UNAVAILABLE',
    `hub ${hub}: nobody answers there; ` +
      (served.length === 0
        ? `no worker is on this bus, start one: tidemark worker --hub ${hub}`
        : `served on this bus: ${shown}${more}; name one with --hub`),
    { cause },
  );
}

/** Hubs whose workers are on the bus, sorted. */
async function hubsServed(bus: Bus): Promise<string[]> {
  const subject = services.subject('INFO', services.worker);
  const answers = await bus.gather(subject, askMs, limits.fleetHubsMax).catch(() => []);
  const hubs = answers.map((answer) =>
    isJsonObject(answer) && isJsonObject(answer['metadata']) ? answer['metadata']['hub'] : null,
  );
  return [...new Set(hubs)]
    .filter((hub): hub is string => typeof hub === 'string' && isSubjectToken(hub))
    .toSorted();
}
