/** Recorded traffic of a real coordinator, under names that are the stranger's own. */
import type { Dice } from '../simulator/dice.ts';
import { TraceReader } from '../../../cli/publish/trace-call.ts';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { traceFiles } from '../rows/trace.ts';
import { docOf, guid } from './shapes.ts';

/** Lines of each file that are enough to mutate. */
const linesMax = 2_000;

type Recorded = { action: string; settings: Record<string, unknown> };
let calls: Recorded[] | null = null;

function recordedCalls(): Recorded[] {
  const files = [...traceFiles('bundled'), ...traceFiles('full')];
  calls ??= files.flatMap((path) => {
    const bytes = readFileSync(path);
    const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    const reader = new TraceReader(path);
    const lines = text.split('\n', linesMax).map((line, at) => ({ text: line, number: at + 1 }));
    return lines.flatMap((line) => {
      const item = reader.read(line);
      if ('skipped' in item) return [];
      return [{ action: item.action, settings: item.envelope.Settings }];
    });
  });
  return calls;
}

/** An envelope as it was recorded, of this action where there is one. */
export function recordedEnvelope(dice: Dice, action: string): Record<string, unknown> {
  const all = recordedCalls();
  const same = all.filter((one) => one.action === action);
  const { settings } = dice.pick(same.length > 0 ? same : all);
  return docOf({ EventGUID: guid(dice), Settings: docOf(structuredClone(settings)) });
}
