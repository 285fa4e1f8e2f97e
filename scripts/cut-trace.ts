/**
 * Cuts the example traces out of two recorded ones: complete histories of some work items and runs,
 * chosen to differ. Usage: node scripts/cut-trace.ts <queue.jsonl[.gz]> <manifest.jsonl[.gz]>
 * <folder>
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTrace } from '../cli/publish/trace-file.ts';

type Call = { method: string; args: unknown[]; text: string };

const workItemsMax = 40;
const runsMax = 15;
/** Histories with the same shape; the second one shows that order holds between keys. */
const perShapeMax = 2;
/** Reads and announcements that have no key. */
const keylessMax = 4;

async function load(path: string): Promise<Call[]> {
  const calls: Call[] = [];
  for await (const { text } of readTrace(path)) calls.push({ ...(JSON.parse(text) as Call), text });
  return calls;
}

function keyOf({ method, args }: Call): string | null {
  if (method === 'onBeaconConnected' || method.startsWith('list')) return null;
  const [first] = args;
  const fields = first as { WorkItemHash?: string; Hash?: string };
  return typeof first === 'string' ? first : (fields.WorkItemHash ?? fields.Hash ?? null);
}

/** The calls of a history, each with its event type, outcome or status. */
function shapeOf(calls: readonly Call[]): string {
  return calls
    .map(({ method, args }) => {
      const fields = Object.assign({}, ...args.filter((arg) => typeof arg === 'object')) as Record<
        string,
        unknown
      >;
      return `${method}:${String(fields['EventType'] ?? fields['Outcome'] ?? fields['Status'] ?? '')}`;
    })
    .join(' ');
}

function choose(calls: readonly Call[], keysMax: number): Call[] {
  const lives = Map.groupBy(
    calls.filter((call) => keyOf(call) !== null),
    (call) => keyOf(call) as string,
  );
  const shapes = new Map<string, number>();
  const chosen = new Set<string>();
  for (const [key, life] of lives) {
    const shape = shapeOf(life);
    const before = shapes.get(shape) ?? 0;
    if (chosen.size >= keysMax || before >= perShapeMax) continue;
    shapes.set(shape, before + 1);
    chosen.add(key);
  }
  let keyless = 0;
  return calls.filter((call) => {
    const key = keyOf(call);
    return key === null ? keyless++ < keylessMax : chosen.has(key);
  });
}

const [queue, manifest, folder] = process.argv.slice(2);
if (!queue || !manifest || !folder) {
  process.stderr.write(
    'usage: node scripts/cut-trace.ts <queue.jsonl[.gz]> <manifest.jsonl[.gz]> <folder>\n',
  );
  process.exit(2);
}
for (const [name, path, keysMax] of [
  ['demo-queue.jsonl', queue, workItemsMax],
  ['demo-manifest.jsonl', manifest, runsMax],
] as const) {
  const calls = choose(await load(path), keysMax);
  writeFileSync(join(folder, name), calls.map((call) => `${call.text}\n`).join(''));
  process.stdout.write(`${name}: ${calls.length} calls\n`);
}
