/** Masks settings for display: no passwords, no tokens, no content of credential files. */
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
 * The value of a setting, safe to show. A secret in a file is shown as its path; a secret given as
 * text is hidden completely.
 */
export function maskedSetting(name: string, value: string): string {
  if (secrets.has(name)) return isPath(value) ? value : mask;
  return maskedUrl(value);
}

/** Credentials are given as paths; if somebody pasted the content instead, it must not be shown. */
function isPath(value: string): boolean {
  return /^[.~]?\.?\//.test(value) && !value.includes('\n');
}
