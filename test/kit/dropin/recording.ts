/** Judges a database by the recording of a hub's calls: each is in it once, and nothing else is. */
import { join } from 'node:path';
import { type FoldRow } from '../rows/fold.ts';
import { readRows } from '../rows/compare.ts';
import { linesOf } from './hub-container.ts';

type Call = { number: string; method: string; key: string };

/** Calls in their order, and the numbers of those that a signal hit before they returned. */
export function recordedCalls(folder: string): { calls: Call[]; unreturned: Set<string> } {
  const lines = linesOf(join(folder, 'calls.jsonl')).map(
    (line) => JSON.parse(line) as Call & { returned?: string },
  );
  const unreturned = new Set<string>();
  const calls: Call[] = [];
  for (const { returned, ...call } of lines) {
    if (returned !== undefined) unreturned.delete(returned);
    else {
      calls.push(call);
      unreturned.add(call.number);
    }
  }
  return { calls, unreturned };
}

/** What is wrong, in words; nothing when each call that returned is in the database once. */
export function faultsOf(folder: string, backend: string): string[] {
  const { calls, unreturned } = recordedCalls(folder);
  const of = (...methods: string[]) => calls.filter(({ method }) => methods.includes(method));
  const faults: string[] = [];
  const expectOnce = (what: string, wanted: Call[], found: readonly string[]) => {
    const counts = new Map<string, number>();
    for (const number of found) counts.set(number, (counts.get(number) ?? 0) + 1);
    for (const { number } of wanted) {
      const count = counts.get(number) ?? 0;
      if (count > 1 || (count === 0 && !unreturned.has(number)))
        faults.push(`${what} ${number} is there ${count} times`);
      counts.delete(number);
    }
    for (const number of counts.keys()) faults.push(`${what} ${number} was never made`);
  };
  /** Of a key only the last call is to be seen; one that was hit before it returned may be. */
  const expectLast = (what: string, wanted: Call[], found: ReadonlyMap<string, string>) => {
    const ofKey = Map.groupBy(wanted, ({ key }) => key);
    for (const [key, made] of ofKey) {
      const sure = made.findLastIndex(({ number }) => !unreturned.has(number));
      const allowed = made.slice(Math.max(sure, 0)).map(({ number }) => number);
      const seen = found.get(key);
      if (seen === undefined ? sure >= 0 : !allowed.includes(seen))
        faults.push(`${what} of ${key}: ${seen} instead of ${allowed.join(' or ')}`);
    }
  };
  const items = readRows(backend, 'UVQueueWorkItem');
  expectLast('the item', of('upsertWorkItem', 'updateWorkItem'), byKey(items, 'LastEventAt'));
  expectOnce(
    'event',
    of('appendEvent'),
    readRows(backend, 'UVQueueWorkItemEvent').map((row) => numberIn(row['Payload'])),
  );
  expectOnce(
    'attempt',
    of('insertAttempt'),
    readRows(backend, 'UVQueueWorkItemAttempt').map((row) => String(row['BeaconID'])),
  );
  const manifests = readRows(backend, 'UVManifest').map((row): [string, string] => [
    String(row['Hash']),
    numberIn(JSON.stringify(outputOf(row))),
  ]);
  expectLast('the run', of('upsertManifest'), new Map(manifests));
  const begun = new Set(of('upsertWorkItem').map(({ key }) => key));
  for (const row of items)
    if (begun.has(String(row['WorkItemHash'])) && row['Capability'] !== 'Shell')
      faults.push(`the item ${row['WorkItemHash']} has lost its first columns`);
  return faults;
}

function byKey(rows: readonly FoldRow[], column: string): Map<string, string> {
  return new Map(rows.map((row) => [String(row['WorkItemHash']), String(row[column])]));
}

function outputOf(row: FoldRow): unknown {
  return (JSON.parse(String(row['ManifestJSON'])) as { Output?: unknown }).Output;
}

function numberIn(payload: unknown): string {
  return String((JSON.parse(String(payload)) as { call?: unknown }).call);
}
