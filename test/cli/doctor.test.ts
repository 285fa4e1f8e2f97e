/** `tidemark doctor`: each line says what it found, and the exit code whether somebody has to look. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { examine } from '../../worker/doctor.ts';
import { openLocal } from '../../worker/local.ts';
import { openStore } from '../../worker/state/open-store.ts';
import { pathsOf } from '../../worker/state/paths.ts';
import { placeGolden } from '../kit/golden.ts';
import { tempFolder, tidemark } from './fixture.ts';

function atRest() {
  const folder = tempFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  const data = join(folder.path, 'data');
  const store = openStore(data);
  openLocal(store, 'hub1');
  store.close();
  return { data, paths: pathsOf(data) };
}

const notOk = (data: string, nowMs = Date.now()) => examine(data, nowMs).filter(({ Level }) => Level !== 'ok');

test('a store at rest has nothing that wants attention', () => {
  expect(notOk(atRest().data)).toEqual([]);
});

test.each<[string, string, RegExp, (paths: ReturnType<typeof pathsOf>) => void]>([
  ['no store', 'store', /there is no/, ({ db }) => rmSync(db)],
  ['garbage', 'store', /no database/, ({ db }) => writeFileSync(db, 'x'.repeat(5000), { mode: 0o600 })],
  ['wide modes', 'modes', /others have access/, ({ db }) => chmodSync(db, 0o644)],
  ['a rescue', 'rescue', /1 wait/, ({ rescueDir }) => mkdirSync(join(rescueDir, '20260101T000000000-1'), { recursive: true })],
  ['files set aside', 'aside', /1 set aside/, ({ asideDir }) => mkdirSync(join(asideDir, 'x'), { recursive: true })],
  ['a start without a stop', 'worker', /gone without a stop/, ({ db }) => alter(db, 'update boot set stopped_ms = null, pid = 4194305')],
  ['an older schema', 'schema', /version 1 of/, ({ dataDir }) => placeGolden('state-v1', dataDir)],
])('%s is told', (_what, Name, found, harm) => {
  const { data, paths } = atRest();
  harm(paths);
  expect(notOk(data)).toEqual([{ Name, Level: expect.stringMatching(/warn|fail/), What: expect.stringMatching(found), Do: expect.stringMatching(/./) }]);
});

function alter(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

test('a clock behind the last accepted write is told', () => {
  const { data } = atRest();
  const folder = pathsOf(data);
  placeGolden('state-v1', folder.dataDir);
  expect(notOk(data, 1_700_000_000_000).map(({ Name }) => Name)).toContain('clock');
});

test('exit 6 without bus, and one JSON document', async () => {
  const { data } = atRest();
  const ran = await tidemark(['doctor', '--json', '--data', data, '--nats', 'nats://127.0.0.1:1']);
  expect(ran.code).toBe(6);
  const { Checks } = JSON.parse(ran.stdout) as { Checks: { Name: string; Level: string }[] };
  expect(Checks.filter(({ Level }) => Level !== 'ok').map(({ Name }) => Name)).toEqual(['bus']);
});
