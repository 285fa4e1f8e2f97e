/** Verbs that come in groups, under one word each. */
import type { VerbGroup } from '../verb.ts';
import { configVerbs } from './config.ts';
import { deadLetterVerbs } from './entries.ts';
import { hwmVerbs } from './hwm.ts';
import { journalVerbs } from './journal.ts';
import { opsVerbs } from './ops.ts';

export const verbGroups: readonly VerbGroup[] = [
  {
    name: 'config',
    topic: 'look',
    summary: 'what the command line was told, and by whom',
    verbs: configVerbs,
  },
  {
    name: 'dead-letters',
    topic: 'act',
    summary: 'entries a database refused for good',
    verbs: deadLetterVerbs,
  },
  {
    name: 'hwm',
    topic: 'repair',
    summary: 'high-water marks: how far each database is, and moving them',
    verbs: hwmVerbs,
  },
  {
    name: 'journal',
    topic: 'repair',
    summary: 'the local record of accepted writes: numbers, soundness, ways out of it and into it',
    verbs: journalVerbs,
  },
  {
    name: 'ops',
    topic: 'repair',
    summary: 'maintenance of the store, recorded: what was run, by whom, with what result',
    verbs: opsVerbs,
  },
];
