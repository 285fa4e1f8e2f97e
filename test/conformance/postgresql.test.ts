/** The conformance suite on PostgreSQL. */
import { conformance } from '../kit/conformance/suite.ts';

conformance('postgresql');
