/**
 * What a mutant may lay its hands on: one thing in the real parts, or in the model of the database,
 * is broken on purpose.
 */
import type { Connection } from '../../../worker/state/connection.ts';
import type { Local } from '../../../worker/journal/local.ts';
import type { StatePaths } from '../../../worker/state/paths.ts';
import type { SimDatabase } from './database.ts';
import type { SimWorker } from './sim-worker.ts';

export type Mutant = {
  /** What is broken, as a sentence. */
  name: string;
  /** The invariant that no longer holds. */
  breaks: string;
  beforeOpen?: (paths: StatePaths) => void;
  opened?: (db: Connection) => void;
  local?: (local: Local) => void;
  worker?: (worker: SimWorker) => void;
  database?: (database: SimDatabase) => void;
};
