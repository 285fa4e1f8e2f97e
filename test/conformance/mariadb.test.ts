/** The conformance suite on MariaDB. */
import { conformance } from '../kit/conformance/suite.ts';

conformance('mysql');
