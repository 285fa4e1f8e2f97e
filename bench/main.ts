/**
 * `npm run bench [accept|batch|drain|servers|backlog|guard|hub ...]`: ratios against peers measured in
 * the same run, as JSON on stdout. Nothing here asserts a time.
 */
import { cpus } from 'node:os';
import { benchAccept } from './accept.ts';
import { benchBacklog } from './backlog.ts';
import { benchBatch } from './batch.ts';
import { benchDrain } from './drain.ts';
import { benchDrainServers } from './drain-servers.ts';
import { benchGuard } from './guard.ts';
import { benchHub } from './hub.ts';
import { Rig } from './rig.ts';

const benches = {
  accept: benchAccept,
  batch: benchBatch,
  drain: benchDrain,
  servers: benchDrainServers,
  backlog: benchBacklog,
  guard: benchGuard,
  hub: benchHub,
};
type Name = keyof typeof benches;

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`unknown bench ${unknown.join(', ')}; expected ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
const names = (asked.length > 0 ? asked : Object.keys(benches)) as Name[];
const results: Record<string, unknown> = {};
for (const name of names) {
  console.error(`bench ${name} ...`);
  const rig = new Rig();
  try {
    await rig.startBus();
    results[name] = await benches[name](rig);
  } finally {
    await rig.stop();
  }
}
console.log(
  JSON.stringify(
    {
      at: new Date().toISOString(),
      node: process.version,
      cpus: cpus().length,
      cpu: cpus()[0]?.model,
      results,
    },
    null,
    2,
  ),
);
process.exit(0);
