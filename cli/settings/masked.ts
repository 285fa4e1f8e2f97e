/** Settings as they may be shown: without passwords, tokens and what files of credentials hold. */

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
 * A URL without what logs in with it: `nats://***@host`, `postgres://ann:***@host/db`. Lists of
 * URLs too.
 */
export function maskedUrl(url: string): string {
  const plain = url.replace(
    /(^|,|:\/\/)([^/,\s]*)@/g,
    (_, before: string, login: string) =>
      `${before}${login.includes(':') ? `${login.slice(0, login.indexOf(':'))}:${mask}` : mask}@`,
  );
  return plain.replace(/([?&](?:password|token|pwd|secret)=)[^&]*/gi, `$1${mask}`);
}

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
