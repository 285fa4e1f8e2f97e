/**
 * Workers' folders for tests of what a start finds: opened with its findings, left as a kill leaves
 * them, filled.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync as statOf,
  writeFileSync,
} from 'node:fs';
import { onTestFinished } from 'vitest';
import { openLocal, type Local } from '../../../worker/journal/local.ts';
import type { Finding } from '../../../worker/state/guard/finding.ts';
import { openStore } from '../../../worker/state/open/open-store.ts';
import { pathsOf } from '../../../worker/state/paths.ts';
import { hubId, upsert } from './fixture.ts';

type Opened = { local: Local; findings: Finding[]; classes: string[] };

export function open(path: string): Opened {
  const findings: Finding[] = [];
  // A file put there by a test may have a mode that is told of too; that is another test's affair.
  const store = openStore(path, (finding) => {
    if (finding.Class !== 'modes') findings.push(finding);
  });
  onTestFinished(() => store.close());
  return { local: openLocal(store, hubId), findings, classes: findings.map((one) => one.Class) };
}

export function append(local: Local, from: number, to: number, size = 40): number[] {
  const names = Array.from({ length: to - from }, (_, n) => `w${from + n}`);
  return local.journal
    .append(
      names.map((name) => upsert(name, name, { Result: name + 'x'.repeat(size) })),
      1_000,
    )
    .map((done) => (done as { seq: number }).seq);
}

export function seqsOf(local: Local): number[] {
  return local.store.db.prepare('select seq from entry order by seq').pluck().all() as number[];
}

/**
 * Leaves the files as a SIGKILL would: a copy of the folder made while the worker has them open.
 */
export function crashCopy(from: string, to: string): void {
  const [a, b] = [pathsOf(from), pathsOf(to)];
  mkdirSync(b.stateDir, { recursive: true });
  for (const [source, target] of [
    [a.db, b.db],
    [a.wal, b.wal],
    [a.identity, b.identity],
  ] as const)
    if (existsSync(source)) copyFileSync(source, target);
  rewriteIdentity(to, (note) => ({ ...note, Db: identity(b.db), Wal: identity(b.wal) }));
}

function identity(path: string) {
  const { dev, ino } = statOf(path);
  return { Dev: dev, Ino: ino };
}

function rewriteIdentity(dir: string, change: (note: Record<string, unknown>) => object): void {
  const { identity: path } = pathsOf(dir);
  writeFileSync(
    path,
    JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>)),
  );
}

/** What store.json is within a second of the last write. */
export function noteNow(local: Local): void {
  writeFileSync(local.store.paths.identity, JSON.stringify(local.store.note()));
}

export function balance(local: Local): number {
  const { journal } = local;
  return (
    journal.counts('queue').accepted -
    journal.counts('queue').stripped -
    journal.countAfter('queue', 0)
  );
}

export const aside = (dir: string) =>
  existsSync(pathsOf(dir).asideDir) ? readdirSync(pathsOf(dir).asideDir) : [];
