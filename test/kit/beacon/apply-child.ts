/**
 * A process that applies batch after batch and says how far it was answered, until it is killed.
 */
import { persistenceSchema } from '../../../contracts/schema.ts';
import { SqliteEngine } from '../../../beacon/engines/sqlite/engine.ts';
import { ensureSchema } from '../../../beacon/capabilities/schema-manager.ts';

const path = process.argv[2];
if (path === undefined) throw new Error('usage: apply-child.ts <database file>');
const engine = new SqliteEngine(path);
await ensureSchema(engine, 'ultravisor', persistenceSchema);
for (let seq = 0; ; seq += 100) {
  const mutations = Array.from({ length: 100 }, (_, at) => ({
    Op: 'write' as const,
    Table: 'UVQueueWorkItem',
    Key: { HubID: 'hub1', WorkItemHash: `w${seq + at + 1}` },
    Seq: seq + at + 1,
    Set: { Status: 'Running' },
  }));
  const now = '2026-11-21T08:00:00.000Z';
  await engine.apply({
    hubId: 'hub1',
    lane: 'queue',
    epoch: 'epoch-1',
    throughSeq: seq + 100,
    isBelowMark: false,
    mutations,
    defaults: new Map(),
    now,
  });
  process.stdout.write(`${seq + 100}\n`);
}
