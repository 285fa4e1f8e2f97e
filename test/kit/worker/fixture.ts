/**
 * Local state on real SQLite files for the worker's tests, and envelopes as intake gets them:
 * decoded, not made by hand.
 */
import { onTestFinished } from 'vitest';
import type { WriteAction } from '../../../contracts/actions.ts';
import { decodeEnvelope, type WriteEnvelope } from '../../../contracts/envelope.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import { createLog, type Log } from '../../../runtime/log.ts';
import { type Local, openLocal } from '../../../worker/journal/local.ts';
import { openStore as openStoreAt } from '../../../worker/state/open/open-store.ts';
import type { Store } from '../../../worker/state/store.ts';
import { guidOf } from '../rows/trace.ts';
import { tempDir, type TempDir } from '../temp-dir.ts';

export const hubId = 'hub1';
export const silent: Log = createLog('test', 'silent');

/** Room without end. */
export const roomy = { refusal: () => null, took: () => undefined, full: () => undefined };

/** A folder that goes with the test. */
export function folderOfTest(): TempDir {
  const dir = tempDir('worker');
  onTestFinished(() => dir[Symbol.dispose]());
  return dir;
}

/** A store in a folder, closed with the test if the test has not closed it. */
export function openStore(path = folderOfTest().path): Store {
  const store = openStoreAt(path);
  onTestFinished(() => store.close());
  return store;
}

/** All local state of a folder. */
export function openState(path = folderOfTest().path): Local {
  return openLocal(openStore(path), hubId);
}

/**
 * A decoded write. `name` is what its EventGUID is made of.
 * @throws TidemarkError as the bus endpoint would
 */
export function write(
  action: WriteAction,
  name: string,
  settings: object,
  more: object = {},
): WriteEnvelope {
  const lane: Lane = action.startsWith('QP_') ? 'queue' : 'manifest';
  const envelope = decodeEnvelope(
    { EventGUID: guidOf(name), Settings: settings, ...more },
    lane,
    action,
  );
  if (envelope.kind !== 'write') throw new TypeError(`${action} does not write`);
  return envelope;
}

export function upsert(hash: string, name: string, fields: object = {}): WriteEnvelope {
  return write('QP_UpsertWorkItem', name, { WorkItem: { WorkItemHash: hash, ...fields } });
}

export function patch(hash: string, name: string, fields: object): WriteEnvelope {
  return write('QP_UpdateWorkItem', name, { WorkItemHash: hash, Patch: fields });
}

export function event(hash: string, name: string, fields: object = {}): WriteEnvelope {
  return write('QP_AppendEvent', name, {
    Event: { WorkItemHash: hash, EventType: 'enqueued', ...fields },
  });
}

export function manifest(hash: string, name: string, fields: object = {}): WriteEnvelope {
  return write('MS_UpsertManifest', name, { Manifest: { Hash: hash, ...fields } });
}
