/**
 * What the hub's file costs: the calls of a hub with the file against the same without, in one
 * process and with the worker answering; and how long one call holds the hub up.
 */
import { mkdtempSync, appendFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QueuePersistenceBridge } from '../dropin/bridges.ts';
import { median, round } from './load.ts';
import type { Rig } from './rig.ts';

const items = 2_000;
const rounds = 5;
/** Calls unanswered, beyond which the hub waits: its bursts are no longer. */
const aheadMax = 500;

type Enqueued = { perSecond: number; microsPerCall: number };

/**
 * Items as a hub enqueues them: a line in its own journal, an upsert and an event. It does more for
 * each, so that the true share is smaller.
 */
async function enqueue(
  bridge: QueuePersistenceBridge,
  journal: string,
  run: string,
): Promise<Enqueued> {
  const startedMs = performance.now();
  let callsMs = 0;
  for (let n = 0; n < items; n++) {
    const item = {
      WorkItemHash: `${run}-${n}`,
      Status: 'Pending',
      Capability: 'Shell',
      Settings: { Command: 'x'.repeat(400) },
      EnqueuedAt: new Date().toISOString(),
    };
    appendFileSync(journal, `${JSON.stringify(item)}\n`);
    const calledMs = performance.now();
    void bridge.upsertWorkItem(item);
    void bridge.appendEvent({ WorkItemHash: item.WorkItemHash, EventType: 'enqueued' });
    callsMs += performance.now() - calledMs;
    while (bridge.unanswered > aheadMax)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
  }
  while (bridge.unanswered > 0)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  const seconds = (performance.now() - startedMs) / 1_000;
  return { perSecond: items / seconds, microsPerCall: (callsMs * 1_000) / (2 * items) };
}

/** Ratio of the hub's enqueue rate with its file to that without. */
export async function benchHub(rig: Rig) {
  const hub = 'hubfile';
  await rig.startWorker(hub);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-hub-'));
  const about = { NatsURL: rig.url, HubID: hub };
  const filed = new QueuePersistenceBridge({ ...about, File: join(folder, 'hub.sqlite') });
  const unfiled = new QueuePersistenceBridge({ ...about, File: false });
  const journal = join(folder, 'journal.jsonl');
  const ratios: number[] = [];
  let withFile: Enqueued = { perSecond: 0, microsPerCall: 0 };
  let without = withFile;
  try {
    for (let run = 0; run <= rounds; run++) {
      without = await enqueue(unfiled, journal, `without-${run}`);
      withFile = await enqueue(filed, journal, `with-${run}`);
      // The first run warms both sides up.
      if (run > 0) ratios.push(withFile.perSecond / without.perSecond);
    }
  } finally {
    await Promise.all([filed.close(), unfiled.close()]);
    rmSync(folder, { recursive: true });
  }
  return {
    hubFile: {
      ratio: round(median(ratios)),
      target: 0.9,
      ratios: ratios.map(round),
      withFile,
      without,
    },
  };
}
