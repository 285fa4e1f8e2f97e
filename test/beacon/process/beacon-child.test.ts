/**
 * A databeacon in a process of its own, killed and started again, and the files it must not open.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { tempFolder } from '../../kit/beacon/fixture.ts';
import { askOf, startOn, withBus } from '../../kit/beacon/with-bus.ts';
import { root } from '../../kit/source.ts';

let nats: TestNats;
let bus: Bus;
withBus((...on) => {
  [nats, bus] = on;
});

test('the journal of a worker is no database: not read, not written', async () => {
  const kit = await startOn(nats, bus);
  const store = openStore(tempFolder());
  const path = join(String(kit.config.createConnections), 'copy.db');
  store.db.prepare('vacuum into ?').run(path);
  const bytes = readFileSync(path);
  await expect(
    kit.ask('DataBeaconManagement', 'CreateConnection', {
      Name: 'Journal',
      Type: 'SQLite',
      Config: 'copy.db',
    }),
  ).rejects.toThrow(/is the journal of a worker/);
  await expect(
    kit.ask('DataBeaconManagement', 'CreateConnection', {
      Name: 'Journal',
      Type: 'SQLite',
      Config: store.paths.db,
    }),
  ).rejects.toThrow(/only files below/);
  expect(readFileSync(path).equals(bytes)).toBe(true);
  store.assertSameFiles();
  store.close();
});

test('defect 22: killed and started again it is the same beacon, same connections; SIGTERM ends it', async () => {
  const folder = tempFolder();
  const args = [
    join(root, 'test/kit/beacon/beacon-child.ts'),
    nats.url,
    'db-child',
    join(folder, 'own'),
    `sqlite:${join(folder, 'one.sqlite')}`,
    `sqlite:${join(folder, 'two', 'one.sqlite')}`,
  ];
  const names: unknown[] = [];
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    const { Connections } = await askOf(bus, 'db-child')<{
      Connections: { IDBeaconConnection: number; Name: string }[];
    }>('DataBeaconAccess', 'ListConnections');
    names.push(Connections.map((one) => [one.IDBeaconConnection, one.Name]));
    child.kill(signal);
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(signal === 'SIGTERM' ? 0 : null);
  }
  expect(names).toEqual([
    [
      [1, 'one'],
      [2, 'one-2'],
    ],
    [
      [1, 'one'],
      [2, 'one-2'],
    ],
  ]);
});
