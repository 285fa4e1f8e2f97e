/** The conformance suite on SQLite. */
import { conformance } from './suite.ts';

conformance('sqlite');
