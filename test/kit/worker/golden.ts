/** Stores as released versions left them, unpacked into a folder. The packed files never change. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { pathsOf } from '../../../worker/state/paths.ts';

const folder = join(import.meta.dirname, '..', '..', 'golden');

/** What lies beside each: its contents when it was made. */
export type GoldenFacts = {
  Store: string;
  Epoch: string;
  Hub: string;
  Lanes: { lane: number; accepted: number; head: number }[];
  Marks: { beacon: string; lane: number; seq: number; applied: number }[];
  Held?: { seq: number; key: string; state: string; reason: string | null }[];
  Some?: { Seq: number; EventGUID: string }[];
  Entries: number | { Seq: number; EventGUID: string }[];
};

export const goldenNames = ['state-v1', 'state-v1-held', 'state-v3'] as const;
export type GoldenName = (typeof goldenNames)[number];
/** At schema 3, with an assignment of one lane and a mark of a beacon named `__proto__`. */
export const namesGolden = 'state-v3-names';

export function goldenBytes(name: GoldenName | typeof namesGolden): Buffer {
  return gunzipSync(readFileSync(join(folder, `${name}.db.gz`)));
}

export function goldenFacts(name: GoldenName): GoldenFacts {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as GoldenFacts;
}

/** Puts it where a worker on `dataDir` finds its state; the path of the database. */
export function placeGolden(name: GoldenName | typeof namesGolden, dataDir: string): string {
  const paths = pathsOf(dataDir);
  mkdirSync(paths.stateDir, { recursive: true, mode: 0o700 });
  writeFileSync(paths.db, goldenBytes(name), { mode: 0o600 });
  return paths.db;
}
