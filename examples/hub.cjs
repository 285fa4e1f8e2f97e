/**
 * A hub for trying things out: writes a work item and an event every 100 ms until Ctrl-C, and
 * prints once a second how many calls were answered. Run `node examples/hub.cjs`. The bus is
 * `NATS_URL` (nats://127.0.0.1:4222), the hub `TIDEMARK_HUB` (hub1).
 */
'use strict';
const { QueuePersistenceBridge } = require('tidemark/bridges');

const queue = new QueuePersistenceBridge();
const run = Date.now().toString(36);
let count = 0;
let answered = 0;
let refused = 0;

function note(answer) {
  if (answer.Success) answered += 1;
  else refused += 1;
}

const writing = setInterval(() => {
  const WorkItemHash = `try-${run}-${++count}`;
  const now = new Date().toISOString();
  void queue
    .upsertWorkItem({
      WorkItemHash,
      Status: 'Pending',
      Capability: 'Shell',
      Settings: { n: count },
      EnqueuedAt: now,
    })
    .then(note);
  void queue
    .appendEvent({
      WorkItemHash,
      EventType: 'enqueued',
      ToStatus: 'Pending',
      Payload: { n: count },
    })
    .then(note);
  void queue.updateWorkItem(WorkItemHash, { Status: 'Complete', CompletedAt: now }).then(note);
}, 100);

const telling = setInterval(() => {
  const { State, AssignedBeaconID } = queue.getPersistenceStatus();
  console.log(
    `items ${count}  answered ${answered}  refused ${refused}  waiting here ` +
      `${queue.unanswered}  database ${AssignedBeaconID}: ${State}`,
  );
}, 1_000);

process.once('SIGINT', async () => {
  clearInterval(writing);
  clearInterval(telling);
  const left = await queue.close();
  console.log(`items ${count}  answered ${answered}  refused ${refused}  given up ${left}`);
});
