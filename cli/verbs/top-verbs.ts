/** The verbs that are in no group, and the list of all verbs. */
import { importHubVerbs } from '../import-hub/verb.ts';
import type { VerbSpec } from '../verb.ts';
import { verbGroups } from './verb-groups.ts';
import { accessVerbs } from './access.ts';
import { completionVerbs } from './completion.ts';
import { controlVerbs } from './control.ts';
import { drillVerbs } from './drill.ts';
import { inspectVerbs } from './inspect.ts';
import { runVerbs } from './run.ts';
import { traceVerbs } from './trace.ts';

export const topVerbs: readonly VerbSpec[] = [
  ...runVerbs,
  ...traceVerbs,
  ...controlVerbs,
  ...importHubVerbs,
  ...drillVerbs,
  ...inspectVerbs,
  ...accessVerbs,
  ...completionVerbs,
];

/** Every verb with the words that name it, including verbs under another one. */
export function allVerbs(): { path: string; spec: VerbSpec }[] {
  const under = (before: string, specs: readonly VerbSpec[]): { path: string; spec: VerbSpec }[] =>
    specs.flatMap((spec) => [
      { path: `${before}${spec.name}`, spec },
      ...under(`${before}${spec.name} `, spec.verbs ?? []),
    ]);
  return [
    ...under('', topVerbs),
    ...verbGroups.flatMap(({ name, verbs }) => under(`${name} `, verbs)),
  ];
}
