/**
 * A hub as a process: `node hub-child.ts <folder> <bus> <hub> <life> <items a second>`. It takes
 * items and runs through their lives with the drop-in bridges, records each call, and has no stop of
 * its own: a signal ends it where it is.
 */
/* oxlint-disable no-underscore-dangle -- the hub's own names, by which the bridges find them */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManifestStoreBridge, QueuePersistenceBridge } from '../../../dropin/bridges.ts';
import { type Item, OpenItems, Runs } from './hub-container.ts';

const [, , folder = '', url = '', hub = '', life = '0', perSecond = '0'] = process.argv;
const recording = join(folder, 'calls.jsonl');
const items = new OpenItems(folder);
const runs = new Runs(folder);
const say = (level: string) => (line: string) => process.stderr.write(`${level} ${line}\n`);
const container = {
  isFable: true,
  settings: { UltravisorFileStorePath: folder, Tidemark: { NatsURL: url, HubID: hub } },
  log: { info: say('info'), warn: say('warn') },
  servicesMap: {
    UltravisorExecutionManifest: { one: runs },
    UltravisorBeaconCoordinator: { one: items },
  },
};
const queue = new QueuePersistenceBridge(container);
const manifests = new ManifestStoreBridge(container);
let calls = 0;

/** A call with its number in it; written down before it is made, and after it has returned. */
function record(method: string, key: string, call: (number: string) => Promise<unknown>): void {
  const number = `${life}.${++calls}`;
  appendFileSync(recording, `${JSON.stringify({ number, method, key })}\n`);
  void call(number);
  appendFileSync(recording, `${JSON.stringify({ returned: number })}\n`);
}

function change(item: Item, to: string): void {
  const { WorkItemHash } = item;
  item.Status = to;
  items.put({ ...item });
  record('updateWorkItem', WorkItemHash, (LastEventAt) =>
    queue.updateWorkItem(WorkItemHash, { Status: to, LastEventAt }),
  );
  record('appendEvent', WorkItemHash, (call) =>
    queue.appendEvent({ WorkItemHash, EventType: to, Payload: { call } }),
  );
}

function enqueue(n: number): void {
  const WorkItemHash = `item-${life}-${n}`;
  const item = {
    WorkItemHash,
    Status: 'Pending',
    Capability: 'Shell',
    RunID: `run-${life}`,
    Settings: { Text: 'x'.repeat(300) },
    EnqueuedAt: new Date().toISOString(),
  };
  items.put({ ...item });
  record('upsertWorkItem', WorkItemHash, (LastEventAt) =>
    queue.upsertWorkItem({ ...item, LastEventAt }),
  );
  setTimeout(() => {
    change(item, 'Running');
    record('insertAttempt', WorkItemHash, (BeaconID) =>
      queue.insertAttempt({ WorkItemHash, AttemptNumber: 1, BeaconID }),
    );
  }, 20);
  // Some stay open, so that the next life has items it never sent.
  if (n % 5 !== 0) setTimeout(() => change(item, 'Complete'), 60);
}

function run(n: number): void {
  const Hash = `run-${life}-${n}`;
  const begun = runs.begin({
    Hash,
    OperationHash: 'op',
    Status: 'Running',
    StartTime: new Date().toISOString(),
  });
  const Status = n % 4 === 0 ? 'WaitingForInput' : 'Complete';
  setTimeout(() => {
    record('upsertManifest', Hash, (call) =>
      manifests.upsertManifest({ ...begun, Status, Output: { call } }),
    );
  }, 30);
}

// What was open in the life before goes on.
for (const item of Object.values(items._WorkQueue)) change(item, 'Complete');
const states = Object.values(runs.runs).map(({ Hash, Status }) => [Hash, Status]);
process.stdout.write(`${JSON.stringify({ runs: states })}\n`);

let n = 0;
const everyMs = 1_000 / Number(perSecond);
if (Number(perSecond) > 0)
  setInterval(() => {
    enqueue(++n);
    if (n % 10 === 0) run(n);
  }, everyMs);
setInterval(() => {
  process.stdout.write(`${JSON.stringify({ waiting: queue.unanswered + manifests.unanswered })}\n`);
}, 200);
