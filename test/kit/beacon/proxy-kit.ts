/** The proxy over a real SQLite file, without a bus: what a test calls and looks at. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { type DatabaseConnection, Connections } from '../../../beacon/databases/connections.ts';
import { CreatedRules } from '../../../beacon/databases/created-rules.ts';
import { enableEndpoint } from '../../../beacon/capabilities/management.ts';
import { Proxy } from '../../../beacon/capabilities/proxy.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';
import { BeaconState } from '../../../beacon/databases/state.ts';
import { defaults, tempFolder } from './fixture.ts';

export type JsonRow = Record<string, unknown>;
export type ProxyKit = {
  proxy: Proxy;
  connections: Connections;
  connection: DatabaseConnection;
  path: string;
  call: (
    method: string,
    path: string,
    body?: unknown,
  ) => Promise<{ status: number; body: JsonRow & JsonRow[] }>;
};

/** The endpoint of the table most tests use. */
export const B = '/1.0/backend/UVQueueWorkItem';

/** A proxy on a new database with the persistence schema in it. */
export async function start(
  options: { folder?: string; mayWrite?: boolean; prepare?: (path: string) => void } = {},
): Promise<ProxyKit & { stop: () => Promise<void> }> {
  const folder = options.folder ?? tempFolder();
  const path = join(folder, 'backend.sqlite');
  options.prepare?.(path);
  const state = BeaconState.open(folder);
  const rules = new CreatedRules(join(folder, 'created'), (file) => state.owns(file));
  const connections = new Connections({
    state,
    urls: [`sqlite:${path}`],
    rules,
    onChange: () => undefined,
  });
  const connection = connections.get(1);
  const stop = async () => {
    await connections.close();
    state.close();
  };
  onTestFinished(stop);
  await ensureSchema(connection.engine, 'ultravisor', persistenceSchema);
  connections.rememberDefaults(connection, defaults);
  const proxy = new Proxy(state, connections, systemClock, options.mayWrite ?? true);
  const call: ProxyKit['call'] = async (method, target, body) => {
    const outputs = await proxy.request(
      {
        Method: method,
        Path: target,
        ...(body === undefined ? {} : { Body: JSON.stringify(body) }),
      },
      5_000,
    );
    return { status: outputs.Status, body: JSON.parse(outputs.Body) as JsonRow & JsonRow[] };
  };
  return { proxy, connections, connection, path, call, stop };
}

/** The same with the endpoint of work items enabled. */
export async function startEnabled(
  options: Parameters<typeof start>[0] = {},
): Promise<Awaited<ReturnType<typeof start>>> {
  const kit = await start(options);
  await enableEndpoint(kit.connections, kit.connection, { TableName: 'UVQueueWorkItem' });
  return kit;
}
