/**
 * Recorded traffic of a real coordinator: the full traces where they lie beside the checkout, else
 * the bundled ones.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const root = join(import.meta.dirname, '..', '..', '..');
const folders = { full: join(root, '..', 'shared', 'traces'), bundled: join(root, 'examples') };

/**
 * One bridge call, with the identity it gets on the bus: derived from file and line, so that a
 * second run repeats it.
 */
export type TraceCall = { method: string; args: unknown[]; eventGuid: string };

/** Methods that write; the others read or tell the bridge about beacons. */
export const writeMethods: ReadonlySet<string> = new Set([
  'upsertWorkItem',
  'updateWorkItem',
  'appendEvent',
  'insertAttempt',
  'updateAttemptOutcome',
  'upsertManifest',
  'removeManifest',
]);

/** Trace files of a folder, `queue` before `manifest` as the names sort backwards. */
export function traceFiles(which: keyof typeof folders): string[] {
  const folder = folders[which];
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /\.jsonl(\.gz)?$/.test(name))
    .toSorted()
    .toReversed()
    .map((name) => join(folder, name));
}

/** The calls of one file. */
export function readTrace(path: string): TraceCall[] {
  const bytes = readFileSync(path);
  const lines = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const { method, args } = JSON.parse(line) as { method: string; args: unknown[] };
    return [{ method, args, eventGuid: guidOf(`${basename(path)}:${index + 1}`) }];
  });
}

/** The bundled trace, or the first `lines` of each full one; writes only. */
export function sampleWrites(lines: number): TraceCall[] {
  const files = traceFiles('bundled').length > 0 ? traceFiles('bundled') : traceFiles('full');
  if (files.length === 0)
    throw new Error('no trace: neither examples/ nor ../shared/traces has one');
  return files
    .flatMap((file) => readTrace(file).slice(0, lines))
    .filter((call) => writeMethods.has(call.method));
}

/** A UUID made from a name. */
export function guidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
