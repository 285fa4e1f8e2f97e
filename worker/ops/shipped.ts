/** The operations shipped with the program: run by name, any number of times, never pending. */
import type { Operation } from './operation.ts';
import { compact } from './shipped/compact.ts';
import { purgeDeadLetters } from './shipped/purge-dead-letters.ts';
import { rebuildProjection } from './shipped/rebuild-projection.ts';
import { verifyApplied } from './shipped/verify-applied.ts';

export const shippedOperations: ReadonlyMap<string, Operation> = new Map([
  ['compact', compact],
  ['purge-dead-letters', purgeDeadLetters],
  ['rebuild-projection', rebuildProjection],
  ['verify-applied', verifyApplied],
]);
