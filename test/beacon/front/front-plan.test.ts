/** Tables that a retold-databeacon lacks: what its operator is told, and the statements he is given. */
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { persistenceSchema } from '../../../contracts/schema.ts';
import { planOf } from '../../../beacon/process/plan.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import { createLog, type Log } from '../../../runtime/log.ts';
import type { TestNats } from '../../kit/servers/nats.ts';
import { withBus } from '../../kit/beacon/with-bus.ts';
import { here, startFrontOn } from '../../kit/beacon/front.ts';

let nats: TestNats;
let bus: Bus;
withBus((...on) => {
  [nats, bus] = on;
});

test('missing tables are one readable line that names the command, however often workers ask', async () => {
  const lines: string[] = [];
  const log: Log = {
    ...createLog('test', 'silent'),
    warn: (_fields, line) => void lines.push(line),
    child: () => log,
  };
  const { ask, port, path } = await startFrontOn(nats, bus, { isMade: false, log });
  const ensure = () =>
    ask('DataBeaconSchema', 'EnsureSchema', { ...here, SchemaJSON: persistenceSchema });
  const command = `tidemark beacon plan http://127.0.0.1:${port} --connection 1`;
  for (let n = 0; n < 5; n++) await expect(ensure()).rejects.toThrow(`"${command}" prints`);
  expect(lines).toEqual([
    'a retold-databeacon cannot create tables over HTTP, and 5 tables or columns are missing ' +
      '(UVQueueWorkItem, UVQueueWorkItemEvent, UVQueueWorkItemAttempt, UVManifest, UVBridgeMark): ' +
      `run the statements that "${command}" prints`,
  ]);
  const { MigrationStatements } = await planOf(`http://127.0.0.1:${port}`, 1);
  const database = new Database(path);
  for (const statement of MigrationStatements) database.exec(statement);
  database.close();
  expect(await ensure()).toMatchObject({ Success: true });
  expect((await planOf(`http://127.0.0.1:${port}`, 1)).MigrationStatements).toEqual([]);
});
