/** Settings as they may be shown: without passwords, tokens and what files of credentials hold. */
import { maskedUrl } from '../../runtime/masked.ts';

const mask = '***';
const secrets = new Set([
  'password',
  'natsToken',
  'token',
  'viewToken',
  'nkey',
  'creds',
  'key',
  'httpKey',
]);

/**
 * The value of a setting by its name. Of a secret that is in a file the path is no secret, of one
 * that is text all of it is.
 */
export function maskedSetting(name: string, value: string): string {
  if (secrets.has(name)) return isPath(value) ? value : mask;
  return maskedUrl(value);
}

/**
 * Credentials are given as paths; whoever pasted the content instead must not find it on a screen.
 */
function isPath(value: string): boolean {
  return /^[.~]?\.?\//.test(value) && !value.includes('\n');
}
