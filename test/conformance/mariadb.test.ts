/** The conformance suite on MariaDB. */
import { conformance } from './suite.ts';

conformance('mysql');
