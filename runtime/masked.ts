/**
 * Masks secrets in text that is shown: logins in URLs, and the values of parameters such as
 * `password`.
 */

const mask = '***';

/** Masks the URLs in a sentence. A quote or the end of the line ends a URL. */
export function masked(text: string): string {
  const [before, urls] = cutAtUrls(text);
  const shown = urls.map((url) => {
    const end = url.search(/["'<>\r\n]/);
    if (end === -1) return withoutLogin(url, () => mask);
    return withoutLogin(url.slice(0, end), () => mask) + url.slice(end);
  });
  return [before, ...shown]
    .join('')
    .replaceAll(/([?&;][\w-]{0,30}(?:passw(?:or)?d|pwd|token|secret)=)[^&;\s"']*/gi, `$1${mask}`);
}

/**
 * Masks a text that is a URL or a list of them; the first may lack its scheme: `nats://***@host`,
 * `postgres://ann:***@host/db`.
 */
export function maskedUrl(text: string): string {
  const [before, urls] = cutAtUrls(text);
  // Without a scheme it may be a path; then only what looks like a login is masked.
  const first = /^[^/\s:@]+:(?!\/\/)/.test(before)
    ? withoutLogin(before, nameOf)
    : before.replaceAll(
        /(^|,)([^/,\s]*)@/g,
        (_, comma: string, login: string) => `${comma}${nameOf(login)}@`,
      );
  return [first, ...urls.map((url) => withoutLogin(url, nameOf))]
    .join('')
    .replaceAll(/([?&;][\w-]{0,30}(?:passw(?:or)?d|pwd|token|secret)=)[^&]*/gi, `$1${mask}`);
}

/** Splits the text after each scheme. A scheme in the middle of a word is part of a password. */
function cutAtUrls(text: string): [before: string, urls: string[]] {
  const [before = '', ...others] = text.split(/(?<=:\/\/)/);
  const urls: string[] = [];
  let isCut = true;
  for (const other of others) {
    if (isCut) urls.push(other);
    else urls.push(`${urls.pop()}${other}`);
    isCut = /[\s,;"'<>(=][a-z][a-z0-9+.-]{0,30}:\/\/$/i.test(other);
  }
  return [before, urls];
}

/**
 * Replaces everything before the last @. A password that was not URL-encoded may contain @,
 * slashes, commas and spaces. A path starts with a slash and has no login.
 */
function withoutLogin(url: string, toShown: (login: string) => string): string {
  const at = url.lastIndexOf('@');
  if (at === -1 || url.startsWith('/')) return url;
  return `${toShown(url.slice(0, at))}${url.slice(at)}`;
}

/** The user name may be shown; a token has none. */
function nameOf(login: string): string {
  const colon = login.indexOf(':');
  return colon === -1 ? mask : `${login.slice(0, colon)}:${mask}`;
}
