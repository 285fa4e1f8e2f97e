/** The lab's calls: all workers of the bus by the incumbent's paths and shapes. */
import type { Context } from 'hono';
import { TidemarkError, toRefusal } from '../../contracts/errors.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { Lab } from '../operators/lab.ts';
import { connectionsOf } from './api.ts';
import { callerOf, notedOf } from './noted.ts';
import type { Handlers } from './routes.ts';

export type LabRouteOptions = { lab: Lab; beacons: () => Presence[] };

type LabNames = 'instances' | 'instance' | 'assignInstance' | 'instanceStatus' | 'labConnections';

export function labHandlers({ lab, beacons }: LabRouteOptions): Pick<Handlers, LabNames> {
  return {
    instances: ({ context }) => answer(context, async () => ({ Instances: await lab.list() })),
    instance: ({ context, params }) => answer(context, () => lab.get(params.id)),
    assignInstance: ({ context, params, body }) =>
      answer(context, async () => ({
        Persistence: await lab.assign(params.id, body, `lab:${callerOf(context)?.name ?? ''}`),
      })),
    instanceStatus: ({ context, params }) =>
      answer(context, async () => ({ Persistence: await lab.status(params.id) })),
    labConnections: ({ context, params }) => context.json(connectionsOf(beacons(), params.id)),
  };
}

/** A worker that does not answer is the far side's fault: 502, as whoever stands before it says. */
async function answer(context: Context, work: () => Promise<object>): Promise<Response> {
  try {
    return context.json(await work());
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'UNAVAILABLE') throw error;
    notedOf(context).reason = error.message;
    return context.json(toRefusal(error), 502);
  }
}
