/** The judge of the real hub's campaign must see what it is there to see. */
import { mkdirSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { tempDir } from '../temp-dir.ts';
import { foldCalls } from '../rows/fold.ts';
import { type Call, faultsOf, recordingOf, statesOf } from './judge.ts';

const calls: Call[] = [
  { number: '1.1', method: 'upsertWorkItem', args: [{ WorkItemHash: 'a', RunID: 'r1' }] },
  { number: '1.2', method: 'appendEvent', args: [{ WorkItemHash: 'a', EventType: 'enqueued' }] },
  {
    number: '1.3',
    method: 'insertAttempt',
    args: [{ WorkItemHash: 'a', AttemptNumber: 1, BeaconID: 'b' }],
  },
  { number: '1.4', method: 'updateWorkItem', args: ['a', { Status: 'Complete' }] },
  { number: '1.5', method: 'updateAttemptOutcome', args: ['a', 1, { Outcome: 'Complete' }] },
  { number: '1.6', method: 'upsertManifest', args: [{ Hash: 'run', Status: 'Complete' }] },
];

/** What the judge says of a database with these calls in it, when all were recorded. */
function judged(made: readonly Call[], cut: readonly string[] = []): string[] {
  using dir = tempDir('judge');
  mkdirSync(dir.path, { recursive: true });
  const lines = calls.flatMap((call) => [
    call,
    ...(cut.includes(call.number) ? [] : [{ returned: call.number }]),
  ]);
  const recording = dir.at('calls.jsonl');
  writeFileSync(recording, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const backend = dir.at('backend.sqlite');
  const db = new Database(backend);
  const folded = foldCalls(
    made.map((call, n) => ({ ...call, eventGuid: `event-${n}` })),
    'hub1',
  );
  for (const [table, rows] of Object.entries(folded)) {
    const columns = Object.keys([...rows.values()][0] ?? { HubID: '' });
    db.exec(`CREATE TABLE ${table} (${columns.join(', ')})`);
    const insert = db.prepare(
      `INSERT INTO ${table} VALUES (${columns.map((name) => `@${name}`).join(', ')})`,
    );
    for (const row of rows.values()) insert.run({ EmittedAt: '', ...row });
  }
  db.close();
  return faultsOf(recordingOf(recording), backend, 'hub1');
}

test('a database with each call once has no fault', () => {
  expect(judged(calls)).toEqual([]);
});

test.each(calls.map(({ number, method }) => ({ number, method })))(
  '$method that was made and is not in the database is named',
  ({ number }) => {
    const without = calls.filter((call) => call.number !== number);
    expect(judged(without)).toHaveLength(1);
    expect(judged(without, [number])).toEqual([]);
  },
);

test('an event that is there twice is named', () => {
  const [first] = judged([...calls, calls[1] as Call]);
  expect(first).toMatch(/2 times instead of 1/);
});

test('a row that no call made is named', () => {
  const stray = { number: '9.9', method: 'upsertManifest', args: [{ Hash: 'stray' }] };
  expect(judged([...calls, stray])).toEqual(['UVManifest stray: never written']);
});

test('the state of a run is what its last call said', () => {
  const recorded = { calls, unreturned: new Set<string>(), refused: [] };
  expect([...(statesOf(recorded).get('run') ?? [])]).toEqual(['Complete']);
});
