/** The conformance suite on SQLite. */
import { conformance } from '../kit/conformance/suite.ts';

conformance('sqlite');
