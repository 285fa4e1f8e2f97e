/**
 * Works out from the trace alone what the database must hold. It shares no code with the bridges,
 * so that it can check them.
 */
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { type TraceItem, TraceReader } from '../publish/trace-call.ts';
import { readTrace } from '../publish/trace-file.ts';

export type Expected = {
  writes: number;
  /** Fields per WorkItemHash, each from its last write. */
  workItems: Map<string, JsonObject>;
  /** EventGUIDs. */
  events: Set<string>;
  /** `<WorkItemHash> <AttemptNumber>`; an outcome without an attempt creates one. */
  attempts: Set<string>;
  /** The last manifest per Hash. */
  manifests: Map<string, JsonObject>;
};

export async function expectedOf(files: readonly string[]): Promise<Expected> {
  const expected: Expected = {
    writes: 0,
    workItems: new Map(),
    events: new Set(),
    attempts: new Set(),
    manifests: new Map(),
  };
  for (const path of files) {
    const reader = new TraceReader(path);
    for await (const line of readTrace(path)) {
      const item = reader.read(line);
      if ('skipped' in item || !item.isWrite) continue;
      expected.writes += 1;
      take(expected, item);
    }
  }
  return expected;
}

function take(expected: Expected, { action, envelope: { Settings: settings } }: TraceItem): void {
  const part = (name: string) => settings[name] as JsonObject;
  const attempt = (from: JsonObject) =>
    `${String(from['WorkItemHash'])} ${String(from['AttemptNumber'])}`;
  const patch = (hash: string, fields: JsonObject) =>
    expected.workItems.set(hash, { ...expected.workItems.get(hash), ...fields });
  switch (action) {
    case 'QP_UpsertWorkItem':
      return void patch(String(part('WorkItem')['WorkItemHash']), part('WorkItem'));
    case 'QP_UpdateWorkItem':
      return void patch(String(settings['WorkItemHash']), part('Patch'));
    case 'QP_AppendEvent':
      return void expected.events.add(String(part('Event')['EventGUID']));
    case 'QP_InsertAttempt':
      return void expected.attempts.add(attempt(part('Attempt')));
    case 'QP_UpdateAttemptOutcome':
      return void expected.attempts.add(attempt(settings));
    case 'MS_UpsertManifest':
      return void expected.manifests.set(String(part('Manifest')['Hash']), part('Manifest'));
    case 'MS_RemoveManifest':
      return void expected.manifests.delete(String(settings['RunHash']));
    default:
    // A read changes nothing.
  }
}
