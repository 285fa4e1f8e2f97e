/** The groups of verbs, each under one word. */
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
    summary: 'the settings in effect, and where each comes from',
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
    summary: 'high-water marks: how far delivery to each database has come; move them',
    verbs: hwmVerbs,
  },
  {
    name: 'journal',
    topic: 'repair',
    summary: 'the local record of accepted writes: numbers, checks, export and import',
    verbs: journalVerbs,
  },
  {
    name: 'ops',
    topic: 'repair',
    summary: 'maintenance of the store, and the record of what was run, by whom, with what result',
    verbs: opsVerbs,
  },
];
