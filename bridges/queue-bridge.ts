/** The queue lane: translates QP_* writes into row mutations. Pure: no I/O, no clock, no state. */
import type { RowMutation } from '../contracts/mutation.ts';
import { tableOf } from '../contracts/schema.ts';
import { type Entry, extraOf, isFillOnly, rowOf, signed } from './entry.ts';
import { follow, project } from './project.ts';

const workItems = tableOf('UVQueueWorkItem');
const events = tableOf('UVQueueWorkItemEvent');
const attempts = tableOf('UVQueueWorkItemAttempt');

function workItem(entry: Entry, rowName: 'WorkItem' | 'Patch'): RowMutation {
  const { columns, extra } = project(workItems, rowOf(entry, rowName));
  return {
    Op: 'write',
    Table: workItems.name,
    Key: { HubID: entry.hubId, WorkItemHash: entry.key },
    Seq: entry.seq,
    ...(isFillOnly(entry) ? { Set: {}, Fill: columns } : { Set: columns, ...extraOf(extra) }),
  };
}

/**
 * An event is inserted once per GUID. Values the worker fills in (EmittedAt, Seq) are kept apart
 * from those the hub sent, so that the same event through another journal is still recognised as a
 * duplicate.
 */
function event(entry: Entry): RowMutation {
  const sent = rowOf(entry, 'Event');
  const { columns, extra } = project(events, sent);
  const filled: RowMutation['Fill'] = {};
  if (!columns['EmittedAt']) {
    delete columns['EmittedAt'];
    filled['EmittedAt'] = entry.at ?? entry.acceptedAt;
  }
  if (sent['Seq'] === undefined || sent['Seq'] === null) {
    delete columns['Seq'];
    filled['Seq'] = 0;
  }
  if (Object.keys(extra).length > 0) columns['Extra'] = JSON.stringify(extra);
  const guid = sent['EventGUID'] ? String(sent['EventGUID']) : entry.eventGuid;
  return {
    Op: 'insert',
    Table: events.name,
    Key: { EventGUID: guid },
    Seq: entry.seq,
    Set: { HubID: entry.hubId, ...columns },
    ...(Object.keys(filled).length > 0 ? { Fill: filled } : {}),
  };
}

/** An outcome sets its columns; an insert only fills columns that are still empty. */
function attempt(entry: Entry, rowName: 'Attempt' | 'Patch'): RowMutation {
  const row = rowOf(entry, rowName);
  const number = Number(
    rowName === 'Attempt' ? row['AttemptNumber'] : entry.settings['AttemptNumber'],
  );
  const { columns, extra } = project(attempts, row);
  follow(columns, 'StartedAt', 'DispatchedAt');
  follow(columns, 'EndedAt', 'CompletedAt');
  follow(columns, 'Error', 'ErrorMessage');
  const key = { HubID: entry.hubId, WorkItemHash: entry.key, AttemptNumber: number };
  const isInsert = rowName === 'Attempt';
  return {
    Op: 'write',
    Table: attempts.name,
    Key: key,
    Seq: entry.seq,
    Set: isInsert ? {} : columns,
    ...(isInsert ? { Fill: columns } : {}),
    ...extraOf(extra),
  };
}

/** Translates a QP_* write into its one mutation. */
export function queueMutation(entry: Entry): RowMutation {
  switch (entry.action) {
    case 'QP_UpsertWorkItem':
      return signed(entry, workItem(entry, 'WorkItem'));
    case 'QP_UpdateWorkItem':
      return signed(entry, workItem(entry, 'Patch'));
    case 'QP_AppendEvent':
      return signed(entry, event(entry));
    case 'QP_InsertAttempt':
      return signed(entry, attempt(entry, 'Attempt'));
    case 'QP_UpdateAttemptOutcome':
      return signed(entry, attempt(entry, 'Patch'));
    default:
      throw new RangeError(`${entry.action} is not a write of the queue lane`);
  }
}
