/**
 * The JSON calls. Those about this worker: its metrics, the two persistence calls and the control
 * verbs. Those about all workers on the bus: the lab, with the incumbent's paths and shapes.
 */
import type { Context } from 'hono';
import { TidemarkError, toRefusal } from '../../contracts/errors.ts';
import type { ConnectionPresence, Presence } from '../../contracts/presence.ts';
import type { Control } from '../operators/control.ts';
import type { Lab } from '../operators/lab.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { callerOf, notedOf } from './noted.ts';
import type { Handlers } from './routes.ts';

export type ApiOptions = { control: Control; metrics: Metrics; beacons: () => Presence[] };

export function persistenceHandlers({
  control,
}: ApiOptions): Pick<Handlers, 'assign' | 'persistenceStatus'> {
  return {
    assign: ({ context, body }) => context.json(control.assign(body)),
    persistenceStatus: ({ context }) => {
      const { Queue, Manifest } = control.run('status', {}) as { Queue: object; Manifest: object };
      return context.json({ Queue, Manifest });
    },
  };
}

type ApiNames =
  | 'metrics'
  | 'status'
  | 'hwm'
  | 'beacons'
  | 'beaconConnections'
  | 'ops'
  | 'journal'
  | 'operatorLog'
  | 'locate'
  | 'deliveryVerb';

export function apiHandlers({ control, beacons, metrics }: ApiOptions): Pick<Handlers, ApiNames> {
  return {
    metrics: async ({ context }) =>
      context.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }),
    status: ({ context }) => context.json(control.run('status', {}) as object),
    hwm: ({ context }) => context.json(control.run('hwm', {}) as object),
    beacons: ({ context }) => context.json({ Beacons: beacons() }),
    beaconConnections: ({ context, params }) => context.json(connectionsOf(beacons(), params.id)),
    ops: async ({ context }) => context.json((await control.run('ops', {})) as object),
    journal: ({ context }) => context.json(control.journal()),
    operatorLog: ({ context, query: { limit, before } }) =>
      context.json(
        control.run('operator-log', {
          ...(limit === undefined ? {} : { Limit: Number(limit) }),
          ...(before === undefined ? {} : { Before: Number(before) }),
        }) as object,
      ),
    locate: ({ context, params }) => {
      const location = control.locate(params.guid) as { State: string };
      return context.json(location, location.State === 'unknown' ? 404 : 200);
    },
    deliveryVerb: ({ context, params }) => context.json(control.run(params.verb, {}) as object),
  };
}

/** @throws TidemarkError NOT_FOUND for a beacon that is away */
export function connectionsOf(
  beacons: readonly Presence[],
  id: string,
): { Connections: ConnectionPresence[] } {
  const beacon = beacons.find((one) => one.BeaconID === id);
  if (!beacon) throw new TidemarkError('NOT_FOUND', `beacon ${id} is not there`);
  return { Connections: beacon.Connections };
}

export function deadLetterHandlers({
  control,
}: ApiOptions): Pick<Handlers, 'deadLetters' | 'deadLetter' | 'endDeadLetter'> {
  return {
    // Without `after` and `limit` the list is complete.
    deadLetters: ({ context, query: { after, limit } }) =>
      context.json(
        control.deadLetters({
          Verb: 'list',
          ...(after === undefined ? {} : { After: after }),
          ...(limit === undefined ? {} : { Limit: Number(limit) }),
        }) as object,
      ),
    deadLetter: ({ context, params }) =>
      context.json(control.deadLetters({ Verb: 'show', ...deadOne(params.seq) }) as object),
    endDeadLetter: ({ context, params: { seq, verb } }) =>
      context.json(control.deadLetters({ Verb: verb, ...deadOne(seq) }) as object),
  };
}

/** A Seq, or `id-<ID>` of a one-way message that was never accepted. */
function deadOne(text: string): { Seq: number } | { ID: number } {
  return text.startsWith('id-') ? { ID: Number(text.slice(3)) } : { Seq: Number(text) };
}

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

/** A worker that does not answer gives 502, because to the caller we are a gateway. */
async function answer(context: Context, work: () => Promise<object>): Promise<Response> {
  try {
    return context.json(await work());
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'UNAVAILABLE') throw error;
    notedOf(context).reason = error.message;
    return context.json(toRefusal(error), 502);
  }
}
