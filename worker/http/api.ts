/** Routes of one worker: metrics, the two persistence routes, and the verbs of control as JSON. */
import type { Hono } from 'hono';
import { bareVerbs } from '../../contracts/control-verbs.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { Presence } from '../../contracts/presence.ts';
import type { Control } from '../operators/control.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { bodyOf, paramsOf, queryOf } from './answers.ts';
import { given } from './schemas.ts';

export type ApiOptions = { control: Control; metrics: Metrics; beacons: () => Presence[] };

export function addPersistence(app: Hono, { control }: ApiOptions): void {
  app.post('/Ultravisor/Persistence/Assign', async (context) =>
    context.json(control.assign(await bodyOf(context, given.assign))),
  );
  app.get('/Ultravisor/Persistence/Status', (context) => {
    const { Queue, Manifest } = control.run('status', {}) as { Queue: object; Manifest: object };
    return context.json({ Queue, Manifest });
  });
}

export function addApi(app: Hono, { control, beacons, metrics }: ApiOptions): void {
  app.get('/metrics', async (context) =>
    context.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }),
  );
  app.get('/api/status', (context) => context.json(control.run('status', {}) as object));
  app.get('/api/hwm', (context) => context.json(control.run('hwm', {}) as object));
  app.get('/api/beacons', (context) => context.json({ Beacons: beacons() }));
  app.get('/api/beacons/:id/connections', (context) => {
    const { id } = paramsOf(context, given.id);
    const beacon = beacons().find((one) => one.BeaconID === id);
    if (!beacon) throw new TidemarkError('NOT_FOUND', `beacon ${id} is not there`);
    return context.json({ Connections: beacon.Connections });
  });
  app.get('/api/ops', async (context) => context.json((await control.run('ops', {})) as object));
  app.get('/api/journal', (context) => context.json(control.journal()));
  app.get('/api/dead-letters/:seq', (context) =>
    context.json(
      control.deadLetters({ Verb: 'show', ...deadOne(paramsOf(context, given.seq).seq) }) as object,
    ),
  );
  app.post('/api/dead-letters/:seq/:verb{retry|drop}', (context) => {
    const { seq, verb } = paramsOf(context, given.seqVerb);
    return context.json(control.deadLetters({ Verb: verb, ...deadOne(seq) }) as object);
  });
  app.get('/api/operator-log', (context) => {
    const { limit, before } = queryOf(context, given.page);
    return context.json(
      control.run('operator-log', {
        ...(limit === undefined ? {} : { Limit: Number(limit) }),
        ...(before === undefined ? {} : { Before: Number(before) }),
      }) as object,
    );
  });
  app.get('/api/locate/:guid', (context) => {
    const location = control.locate(paramsOf(context, given.guid).guid) as { State: string };
    return context.json(location, location.State === 'unknown' ? 404 : 200);
  });
  app.post(`/api/:verb{${bareVerbs.join('|')}}`, (context) =>
    context.json(control.run(paramsOf(context, given.verb).verb, {}) as object),
  );
}

/** A Seq, or `id-<ID>` of a one-way message that was never accepted. */
function deadOne(text: string): { Seq: number } | { ID: number } {
  return text.startsWith('id-') ? { ID: Number(text.slice(3)) } : { Seq: Number(text) };
}
