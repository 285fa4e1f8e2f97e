/**
 * The real coordinator, ended again and again in mid-traffic with the drop-in in it, and its
 * neighbours killed: `npm run campaign:hub -- <folder of it> [--node <node 22>] [--minutes 10]
 * [--seed 1]`. A recording of its calls of the bridges is the judge of the database and of its
 * runs; an unmodified one shows which states runs have after a restart. Exits 1 on a difference, 2
 * without a hub.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { freePort } from '../../runtime/bus/nats-server.ts';
import { Stack } from '../kit/processes/stack.ts';
import { checkoutOf, howToGet, installInto } from '../kit/real-hub/folder.ts';
import { RealHub } from '../kit/real-hub/hub-process.ts';
import { Campaign } from '../kit/real-hub/campaign.ts';
import { statesAfterRestart } from '../kit/real-hub/states.ts';
import { tempDir } from '../kit/temp-dir.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const line = (text: string) => process.stdout.write(`${text}\n`);

const checkout = checkoutOf(positionals[0], values.node);
if (typeof checkout === 'string') {
  line(`${checkout}.\n\n${howToGet}`);
  process.exit(2);
}

await using cleanup = new AsyncDisposableStack();
const dir = cleanup.use(tempDir('real-hub'));
mkdirSync(dir.at('plain'));
mkdirSync(dir.at('hub'));
line(`hub ${checkout.version}; packing and installing the drop-in ...`);
installInto(dir.at('hub'));

const plain = new RealHub({ checkout, folder: dir.at('plain'), port: await freePort() });
const reference = await statesAfterRestart(plain);
const stack = cleanup.use(await Stack.start());
const hub = cleanup.use(
  new RealHub({
    checkout,
    folder: dir.at('hub'),
    port: await freePort(),
    dropin: { url: stack.nats.url, hub: stack.hubId },
  }),
);
const ours = await statesAfterRestart(hub);
const campaign = new Campaign({ stack, hub, line });
const endMs = Date.now() + Number(values.minutes) * 60_000;
const faults = await campaign.run(Number(values.seed), endMs);
for (const [kind, state] of Object.entries(reference)) {
  line(`run of kind ${kind.padEnd(5)} after a restart: ${state}, with the drop-in ${ours[kind]}`);
  if (ours[kind] !== state) faults.push(`a run of kind ${kind} is ${ours[kind]}, not ${state}`);
}
for (const fault of faults.slice(0, 30)) line(`BAD ${fault}`);
line(faults.length === 0 ? 'no difference' : `${faults.length} differences`);
await cleanup.disposeAsync();
process.exit(faults.length === 0 ? 0 : 1);
