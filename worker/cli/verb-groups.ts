/** Verbs that come in groups, under one word each. */
import type { VerbSpec } from './verb.ts';
import { deadLetterVerbs } from './verbs-entries.ts';
import { hwmVerbs } from './verbs-hwm.ts';
import { journalVerbs } from './verbs-journal.ts';
import { opsVerbs } from './verbs-ops.ts';

export const verbGroups: readonly (readonly [name: string, summary: string, verbs: readonly VerbSpec[]])[] = [
  ['hwm', 'high-water marks: how far each database is', hwmVerbs],
  ['journal', 'the local record of accepted writes', journalVerbs],
  ['dead-letters', 'entries a database refused for good', deadLetterVerbs],
  ['ops', 'maintenance of the store, recorded: what was run, by whom, with what result', opsVerbs],
];
