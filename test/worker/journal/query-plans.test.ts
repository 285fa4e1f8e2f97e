/** No statement of the store goes through a table that grows: each is found by an index (I13). */
import { expect, onTestFinished, test } from 'vitest';
import { openLocal } from '../../../worker/journal/local.ts';
import { Horizon } from '../../../worker/journal/horizon.ts';
import { MarksPlanner } from '../../../worker/operators/mark-plan.ts';
import { ChangeLog } from '../../../worker/state/schema/change-log.ts';
import { hasOldEntries, OldEntries } from '../../../worker/state/schema/old-entries.ts';
import type { Connection } from '../../../worker/state/connection.ts';
import { Endurance, keptFor } from '../../kit/endurance/days.ts';
import { SyncTime } from '../../kit/endurance/turns.ts';
import { productSources } from '../../kit/tidy.ts';
import { folderOfTest, hubId, openStore } from '../../kit/worker/fixture.ts';
import { goldenFacts, placeGolden } from '../../kit/worker/golden.ts';

/** Tables that may be gone through, each with what bounds it. */
const bounded: Readonly<Record<string, string>> = {
  lane: 'two rows',
  projection: 'two rows',
  assignment: 'two rows',
  horizon: 'one row',
  meta: 'some ten rows',
  database: 'a row for each database ever assigned',
  mark: 'two rows for each of those',
  m: 'the same',
  sqlite_schema: 'a row for each table, index, view and trigger',
  sqlite_sequence: 'a row for each table that counts on',
  boot: 'a thousand starts',
  fault: 'limits.faultsKept',
  operation: 'a row for each operation there is',
  owner: 'a row for each store whose entries were merged in, and for each that took over',
};

/** Statements that may go through a growing table, with why they read only its end. */
const excused: readonly (readonly [RegExp, string])[] = [
  [/octet_length\(body\) from \w+_entry order by seq desc limit/, 'the newest, as many as asked'],
  [/from change_log order by cursor limit/, 'the oldest, as many as asked'],
  [/select min\(seq\) from entry_old|from entry_old order by seq limit/, 'the lowest'],
  [/as parked from \(select/, 'h: as many dead letters as asked, found by an index within'],
  [/from refused/, 'bounded by who keeps them; the operators look'],
];

/** Every statement the parts of a store prepare when they are made, and those they make as they go. */
function statementsOf(db: Connection, make: () => void): string[] {
  const texts = new Set<string>();
  const prepare = db.prepare.bind(db);
  db.prepare = (text: string) => {
    texts.add(text);
    return prepare(text);
  };
  make();
  db.prepare = prepare;
  return [...texts];
}

function scansOf(db: Connection, text: string): string[] {
  const steps = db
    .prepare<unknown[], { detail: string }>(`explain query plan ${text}`)
    .all(...bindingsOf(text))
    .map((step) => step.detail);
  return steps.flatMap((detail) => {
    const table = /^SCAN (\w+)/.exec(detail)?.[1];
    const isGrowing = table !== undefined && table !== 'CONSTANT' && !(table in bounded);
    return isGrowing || /AUTOMATIC|MATERIALIZE/.test(detail) ? [detail] : [];
  });
}

function bindingsOf(text: string): unknown[] {
  const named = [...text.matchAll(/@(\w+)/g)].map(([, name]) => [name, 1]);
  const places = [...text.matchAll(/\?/g)].map(() => 1);
  return named.length > 0 ? [Object.fromEntries(named)] : places;
}

function faultsOf(db: Connection, hub: string): string[] {
  const texts = statementsOf(db, () => {
    const local = openLocal({ db, meta: () => hub, dataDir: '' } as never, hub);
    const { journal, blocked } = local;
    new ChangeLog(db);
    new Horizon(db);
    new MarksPlanner({ db, journal, blocked });
    if (hasOldEntries(db)) new OldEntries(db);
    blocked.waitingKeys(1, 'queue');
    journal.countAfter('queue', 0);
    journal.seqsBetween('queue', 0, 1, 1);
  });
  expect(texts.length).toBeGreaterThan(80);
  return texts
    .filter((text) => !excused.some(([pattern]) => pattern.test(text)))
    .flatMap((text) => scansOf(db, text).map((scan) => `${scan}: ${text}`));
}

test('every statement of a store is found by an index (I13)', () => {
  expect(faultsOf(openStore().db, 'hub1')).toEqual([]);
});

test('so is every one while entries of schema 3 are still to be moved (I13)', () => {
  const dir = folderOfTest();
  placeGolden('state-v3', dir.path);
  const { db } = openStore(dir.path);
  expect(hasOldEntries(db)).toBe(true);
  expect(faultsOf(db, goldenFacts('state-v3').Hub)).toEqual([]);
});

/** Files whose statements are not run while a worker serves, or are bounded by something else. */
const elsewhere: readonly (readonly [RegExp, string])[] = [
  [/^worker\/state\/(?:open|recover|guard|schema)\//, 'opening, and bringing back what was lost'],
  [/^worker\/state\/connection\.ts$/, 'opening'],
  [/^worker\/incumbent\//, 'once, at the first start'],
  [/^worker\/ops\//, 'at the word of an operator, in steps'],
  [/^worker\/journal\/old-counts\.ts$/, 'while entries of schema 3 are moved: the test above'],
  [/^worker\/operators\/(?:action-rows|operator-log)\.ts$/, 'limits.operatorActionsMax rows'],
  [/^worker\/process\/local-health\.ts$/, 'one row of a thousand starts'],
];

test('every statement that is made while a worker serves is found by an index too (I13)', async () => {
  const probe = openStore().db;
  const prototype = Object.getPrototypeOf(probe) as { prepare: (text: string) => unknown };
  const { prepare } = prototype;
  const made = new Map<string, string>();
  const seen = new Set<string>();
  prototype.prepare = function (this: Connection, text: string) {
    const from = /\/((?:worker|hwm)\/[\w/-]+\.ts)/.exec(new Error().stack ?? '')?.[1];
    if (from) made.set(text, from);
    seen.add(from ?? '');
    return prepare.call(this, text);
  };
  onTestFinished(() => {
    prototype.prepare = prepare;
  });
  const dir = folderOfTest();
  const endurance = new Endurance({
    dataDir: dir.path,
    entries: 3_000,
    days: 2,
    seed: 1,
    keep: keptFor,
    sync: new SyncTime(undefined),
    onDay: () => undefined,
  });
  await endurance.run();
  prototype.prepare = prepare;
  expect(endurance.faults).toEqual([]);
  const isApart = (file: string) => elsewhere.some(([pattern]) => pattern.test(file));
  const { db } = openLocal(openStore(dir.path), hubId).store;
  const faults = [...made]
    .filter(([text, file]) => !isApart(file) && /^\s*(?:select|insert|update|delete)/i.test(text))
    .filter(([text]) => !excused.some(([pattern]) => pattern.test(text)))
    .flatMap(([text, file]) => scansOf(db, text).map((scan) => `${file}: ${scan}: ${text}`));
  expect(faults).toEqual([]);
  const unseen = productSources
    .filter(({ path, code }) => /^(?:worker|hwm)\//.test(path) && /[dD]b\s*\.prepare\b/.test(code))
    .filter(({ path }) => !isApart(path) && !seen.has(path));
  expect(unseen.map(({ path }) => path)).toEqual([]);
}, 60_000);
