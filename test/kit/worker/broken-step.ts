/** A step of the schema that calls the SQL function `inside` on its way. */
import type { SchemaStep } from '../../../worker/state/schema/migrations.ts';

export const places = ['start', 'middle', 'end'] as const;
export type Place = (typeof places)[number];

/** The steps, with one of them calling `inside()` before, amid or behind its statements. */
export function withInside(
  steps: readonly SchemaStep[],
  version: number,
  place: Place,
): SchemaStep[] {
  return steps.map((step) =>
    step.version === version ? { ...step, sql: broken(step.sql, place) } : step,
  );
}

function broken(sql: string, place: Place): string {
  const call = 'select inside();';
  if (place === 'start') return `${call}\n${sql}`;
  if (place === 'end') return `${sql}\n${call}`;
  const ends = [...sql.matchAll(/;\n/g)].map((match) => match.index + 2);
  const at = ends[Math.floor(ends.length / 2)] ?? sql.length;
  return `${sql.slice(0, at)}${call}\n${sql.slice(at)}`;
}
