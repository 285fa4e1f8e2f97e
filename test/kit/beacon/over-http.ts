/** A databeacon with its table endpoints over HTTP, on a bus of the test. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BeaconConfig } from '../../../beacon/databases/config.ts';
import { persistenceSchema } from '../../../contracts/schema.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { TestNats } from '../servers/nats.ts';
import { type Kit, startOn } from './with-bus.ts';

/** The endpoint of the table most tests use. */
export const B = '/1.0/backend/UVQueueWorkItem';

type Ran = {
  status: number;
  body: Record<string, unknown> & Record<string, unknown>[];
  headers: Headers;
};
export type HttpKit = Kit & {
  token: string;
  call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Ran>;
};

export async function startHttpOn(
  nats: TestNats,
  bus: Bus,
  more: Partial<BeaconConfig> = {},
): Promise<HttpKit> {
  const kit = await startOn(nats, bus, { http: '127.0.0.1:0', ...more });
  await kit.ask('DataBeaconSchema', 'EnsureSchema', {
    IDBeaconConnection: 1,
    SchemaJSON: persistenceSchema,
  });
  await kit.ask('DataBeaconManagement', 'EnableEndpoint', {
    IDBeaconConnection: 1,
    TableName: 'UVQueueWorkItem',
  });
  const token = more.token ?? readFileSync(join(kit.config.dataDir, 'token'), 'utf8').trim();
  const call: HttpKit['call'] = async (
    method,
    path,
    body,
    headers = { Authorization: `Bearer ${token}` },
  ) => {
    const response = await fetch(kit.beacon.httpUrl + path, {
      method,
      headers,
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text.startsWith('{') || text.startsWith('[')
        ? JSON.parse(text)
        : { text }) as Ran['body'],
    };
  };
  return { ...kit, token, call };
}
