/**
 * journal verify, export, import and salvage, as an operator calls them: on a live store, a stopped
 * one, and what is left of one.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openLocal, type Local } from '../../../worker/journal/local.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { manifest, upsert } from '../../kit/worker/fixture.ts';
import { tempFolder, tidemark } from '../../kit/processes/cli-fixture.ts';

function folder(): string {
  const made = tempFolder();
  onTestFinished(() => made[Symbol.dispose]());
  return made.path;
}

/** A store with entries of both lanes, one without its body. */
function filled(data: string, count = 20): Local {
  const local = openLocal(openStore(data), 'hub1');
  onTestFinished(() => local.store.close());
  const writes = Array.from({ length: count }, (_, n) =>
    n % 5 === 4 ? manifest(`m${n}`, `w${n}`) : upsert(`h${n}`, `w${n}`, { Result: 'ä"\n' }),
  );
  local.journal.append(
    writes.map((one, n) =>
      n % 2
        ? one
        : { ...one, trace: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01${n % 4 ? '' : '\nv=1'}` },
    ),
    1_000,
  );
  local.journal.strip('queue', local.journal.readAfter('queue', 0, 1, 1e9));
  return local;
}

const rowsOf = (data: string) => {
  const db = new Database(pathsOf(data).db, { readonly: true });
  const rows = db
    .prepare(
      'select seq, lane, action, guid, key, at, user, accepted_ms, body, digest, trace, crc from entry order by seq',
    )
    .all();
  db.close();
  return rows;
};

const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const journal = (data: string, ...args: string[]) => tidemark(['journal', ...args, '--data', data]);

test('export beside a running writer, import elsewhere: the same entries, once; verify finds both sound', async () => {
  const [one, two] = [folder(), folder()];
  const local = filled(one);
  const exported = await journal(one, 'export', '--out', join(one, 'out.jsonl'), '--json');
  expect(exported).toMatchObject({ code: 0 });
  expect(JSON.parse(exported.stdout)).toMatchObject({ Exported: 20 });
  const lines = readFileSync(join(one, 'out.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Seq: number });
  expect(lines[0]).toMatchObject({
    Lane: 'queue',
    Settings: null,
    Digest: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  expect(lines[1]).toMatchObject({
    Action: 'QP_UpsertWorkItem',
    Key: 'h1',
    RemoteUser: 'ultravisor-system',
    Settings: { WorkItem: { Result: 'ä"\n' } },
  });
  const after = await journal(one, 'export', '--after', String(lines[16]?.Seq));
  expect(after.stdout.trim().split('\n')).toHaveLength(3);
  const refused = await journal(one, 'import', join(one, 'out.jsonl'));
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining(`pid ${process.pid}`) });
  expect(
    await journal(two, 'import', join(one, 'out.jsonl'), '--dry-run', '--json').then(
      (ran) => JSON.parse(ran.stdout) as object,
    ),
  ).toMatchObject({ Read: 20, Imported: 20, Known: 0 });
  expect(await journal(two, 'import', join(one, 'out.jsonl'))).toMatchObject({
    code: 0,
    stdout: '20 lines: 20 imported, 0 known, 0 rejected\n',
  });
  expect(rowsOf(two)).toEqual(rowsOf(one));
  const log = JSON.parse(
    (await tidemark(['log', '--offline', '--json', '--data', two])).stdout,
  ) as { Actions: object[] };
  expect(log.Actions).toEqual([
    expect.objectContaining({
      Who: userInfo().username,
      Via: 'cli',
      Action: 'journal import',
      Detail: JSON.stringify({ File: join(one, 'out.jsonl') }),
      Outcome: 'done',
    }),
  ]);
  expect(await journal(two, 'import', join(one, 'out.jsonl'))).toMatchObject({
    code: 0,
    stdout: '20 lines: 0 imported, 20 known, 0 rejected\n',
  });
  for (const data of [one, two])
    expect(await journal(data, 'verify')).toMatchObject({
      code: 0,
      stdout: 'the journal is sound\n',
    });
  local.store.close();
}, 60_000);

test('import says which lines it did not take, and why; read = imported + known + rejected', async () => {
  const [one, two] = [folder(), folder()];
  filled(one).store.close();
  await journal(one, 'export', '--out', join(one, 'out.jsonl'));
  const lines = readFileSync(join(one, 'out.jsonl'), 'utf8').trim().split('\n');
  const changed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const bad = [
    '{"cut',
    JSON.stringify({ ...changed[3], EventGUID: 'x' }),
    JSON.stringify({
      ...changed[3],
      EventGUID: '00000000-0000-4000-8000-000000000001',
      Key: 'other',
    }),
    JSON.stringify({ ...changed[3], EventGUID: '00000000-0000-4000-8000-000000000002', Seq: 9e15 }),
  ];
  writeFileSync(
    join(one, 'bad.jsonl'),
    [...lines.slice(0, 5), ...bad, '', ...lines.slice(3, 7)].join('\n'),
  );
  const ran = await journal(two, 'import', join(one, 'bad.jsonl'), '--json');
  expect(ran.code).toBe(6);
  expect(JSON.parse(ran.stdout)).toMatchObject({
    Read: 13,
    Imported: 7,
    Known: 2,
    Rejected: 4,
    Rejections: [
      { Line: 6 },
      { Line: 7, Reason: expect.stringContaining('EventGUID') },
      { Line: 8, Reason: expect.stringContaining('Key') },
      { Line: 9, Reason: expect.stringContaining('Seq') },
    ],
  });
  expect(await journal(two, 'import', join(one, 'none'))).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('journal export'),
  });
  expect(await journal(two, 'import')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('file'),
  });
}, 60_000);

test('verify names what is wrong and exits 6', async () => {
  const data = folder();
  filled(data).store.close();
  const db = new Database(pathsOf(data).db);
  const seqs = db.prepare('select seq from entry order by seq').pluck().all() as number[];
  db.exec(`delete from known where seq = ${seqs[7]}; delete from queue_body where seq = ${seqs[7]};
    update known set digest = zeroblob(16);
    insert into database values (1, 'db-1', 1);
    insert into mark (database, lane, seq, applied, present, skipped, store_id)
      values (1, 0, ${(seqs[19] ?? 0) + 5}, 0, 0, 0, '');
    insert into held values (1, ${seqs[7]}, 0, 'h7', 'dead', 'x', 1)`);
  db.close();
  const ran = await journal(data, 'verify', '--json');
  expect(ran.code).toBe(6);
  const { Problems } = JSON.parse(ran.stdout) as { Problems: string[] };
  const text = Problems.join('\n');
  for (const part of [
    'counts 16 entries',
    'neither a body nor a digest',
    'above the head',
    'without its entry',
    'the balance of db-1/1',
    `missing: Seq ${seqs[7]}`,
  ])
    expect(text).toContain(part);
  expect(await journal(folder(), 'verify')).toMatchObject({ code: 3 });
}, 60_000);

test('salvage writes what a damaged file still has, leaves the file as it was, and import takes it', async () => {
  const [data, fresh] = [folder(), folder()];
  filled(data, 400).store.close();
  const { db } = pathsOf(data);
  const file = readFileSync(db);
  file.fill(0x5a, 0, 4096);
  writeFileSync(db, file);
  const before = hashOf(db);
  const verdict = await journal(data, 'verify');
  expect(verdict).toMatchObject({ code: 6, stdout: expect.stringContaining('salvage') });
  const ran = await journal(data, 'salvage', data, '--out', join(fresh, 'saved.jsonl'), '--json');
  expect(JSON.parse(ran.stdout)).toMatchObject({ Written: 400, Source: 'pages' });
  expect(hashOf(db)).toBe(before);
  expect(await journal(fresh, 'import', join(fresh, 'saved.jsonl'))).toMatchObject({
    code: 0,
    stdout: '400 lines: 400 imported, 0 known, 0 rejected\n',
  });
  expect(await journal(fresh, 'verify')).toMatchObject({ code: 0 });
  expect(
    await journal(data, 'salvage', join(data, 'nowhere'), '--out', join(fresh, 'x')),
  ).toMatchObject({ code: 3 });
}, 60_000);
