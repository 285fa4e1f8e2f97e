/**
 * The last thing a worker does whose files are not its own any more: it saves what its handle still
 * holds.
 */
import { systemClock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { rescue } from '../state/recover/rescue.ts';
import { classOf, endsTheProcess, toStoreFault } from '../state/guard/storage-error.ts';
import type { Store } from '../state/store.ts';

/**
 * Saves if the handle may hold entries that are nowhere else: the error says so, or the files do,
 * whatever the error was about. False when the files are whole.
 * @throws TidemarkError STORAGE_FAILED when nothing can be saved
 */
export function saveIfLost(store: Store, error: unknown, log: Log): boolean {
  if (!store.db.open) return false;
  const finding = store.lookAtFiles();
  if (!endsTheProcess(classOf(error)) && finding === null) return false;
  const { message } = toStoreFault(error);
  log.error({ reason: message }, 'the local store failed; saving what it holds');
  const found = classOf(error);
  const { folder, note } = rescue(
    store,
    { class: finding && !endsTheProcess(found) ? finding.verdict : found, what: message },
    systemClock.nowMs(),
  );
  log.error(
    { folder, kind: note.Kind, entries: note.Entries, lost: note.Lost },
    'saved; ending, so that a fresh process puts it together',
  );
  return true;
}
