/** The conformance suite on PostgreSQL. */
import { conformance } from './suite.ts';

conformance('postgresql');
