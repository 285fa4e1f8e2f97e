/** Which states runs have at a hub that was killed and started again, for each kind of operation. */
import { until } from '../until.ts';
import type { RealHub } from './hub-process.ts';
import { type Kind, kinds, Traffic } from './traffic.ts';

export type Shown = { Hash: string; Status: string };

/** Starts the hub, has one run of each kind, kills it, starts it, asks, and ends it. */
export async function statesAfterRestart(hub: RealHub): Promise<Record<string, string>> {
  await hub.start();
  const traffic = new Traffic(hub);
  await traffic.prepare();
  await hub.post('/Beacon/Register', { Name: 'idler', Capabilities: ['Toil'] });
  const runs = new Map<string, Kind>();
  for (const kind of kinds) runs.set(await traffic.run(kind), kind);
  const shown = () => hub.get<Shown[]>('/Manifest');
  await until('no run goes on', async () =>
    (await shown()).every(({ Status }) => Status !== 'In Progress'),
  );
  await hub.end('SIGKILL');
  await hub.start();
  const states: Record<string, string> = Object.fromEntries(kinds.map((kind) => [kind, 'gone']));
  for (const { Hash, Status } of await shown()) {
    const kind = runs.get(Hash);
    if (kind) states[kind] = Status;
  }
  await hub.end('SIGKILL');
  return states;
}
