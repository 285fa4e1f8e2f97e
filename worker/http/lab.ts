/** The lab's routes: all workers of the bus by the incumbent's paths and shapes. */
import type { Context, Hono } from 'hono';
import { TidemarkError, toRefusal } from '../../contracts/errors.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { Lab } from '../operators/lab.ts';
import { bodyOf, paramsOf } from './answers.ts';
import { callerOf, notedOf } from './noted.ts';
import { given } from './schemas.ts';

export type LabRouteOptions = { lab: Lab; beacons: () => Presence[] };

const at = '/api/lab/ultravisor-instances';

export function addLab(app: Hono, { lab, beacons }: LabRouteOptions): void {
  app.get(at, (context) => answer(context, async () => ({ Instances: await lab.list() })));
  app.get(`${at}/:id`, (context) => answer(context, () => lab.get(paramsOf(context, given.id).id)));
  app.post(`${at}/:id/persistence-beacon`, (context) =>
    answer(context, async () => {
      const body = await bodyOf(context, given.labAssign);
      return {
        Persistence: await lab.assign(
          paramsOf(context, given.id).id,
          body,
          `lab:${callerOf(context)?.name ?? ''}`,
        ),
      };
    }),
  );
  app.get(`${at}/:id/persistence-status`, (context) =>
    answer(context, async () => ({
      Persistence: await lab.status(paramsOf(context, given.id).id),
    })),
  );
  app.get('/api/lab/beacons/:id/connections', (context) => {
    const { id } = paramsOf(context, given.id);
    const beacon = beacons().find((one) => one.BeaconID === id);
    if (!beacon) throw new TidemarkError('NOT_FOUND', `beacon ${id} is not there`);
    return context.json({ Connections: beacon.Connections });
  });
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
