/**
 * The bus as a URL or a list of them: what the client wants apart is taken apart, and what no
 * client could use is refused with what was meant.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { maskedUrl } from '../../runtime/masked.ts';

export type BusUrl = { servers: string; user?: string; password?: string; token?: string };

const example = 'expected nats://host:port';

/**
 * The client takes names and passwords apart from the URL; `nats://token@host` is a token.
 * @throws TidemarkError CONFIG_INVALID
 */
export function decodeBusUrl(url: string): BusUrl {
  let login: Omit<BusUrl, 'servers'> = {};
  const servers = url
    .split(',')
    .map((one) => {
      const [, scheme = '', userInfo, rest = ''] =
        /^([a-z][a-z0-9+.-]*:\/\/)?(?:([^@/]*)@)?(.*)$/i.exec(one.trim()) ?? [];
      const host = rest.replace(/\/$/, '');
      if (host === '') throw wrong(url, `names no host: ${example}`);
      assertScheme(url, scheme, host);
      assertHost(url, host);
      if (userInfo !== undefined) {
        const [user = '', password] = userInfo.split(':').map((text) => decoded(url, text));
        login = password === undefined ? { token: user } : { user, password };
      }
      return scheme + host;
    })
    .join(',');
  return { servers, ...login };
}

function assertScheme(url: string, scheme: string, host: string): void {
  if (scheme === '' || /^(?:nats|tls):\/\/$/i.test(scheme)) return;
  const isWeb = /^(?:https?|wss?):\/\/$/i.test(scheme);
  throw wrong(
    url,
    isWeb
      ? `is for ${scheme}, and the bus speaks NATS: ${meant(url, host)}`
      : `begins with ${scheme}: ${example}`,
  );
}

function assertHost(url: string, host: string): void {
  if (/^\d+$/.test(host)) throw wrong(url, `is a number alone: ${meant(url, `127.0.0.1:${host}`)}`);
  if (!/^(?:\[[0-9a-f:.%]+\]|[^\s/:?#[\]]+)(?::[^:]*)?$/i.test(host))
    throw wrong(url, `is no bus URL: ${example}`);
  const port = /:([^:\]]*)$/.exec(host)?.[1];
  if (
    port !== undefined &&
    !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)
  )
    throw wrong(url, `has no port from 1 to 65535: ${example}`);
}

/** Of a URL with a login nothing is said again: what looks like its host may be of a password. */
function meant(url: string, host: string): string {
  return url.includes('@') ? example : `did you mean nats://${host}?`;
}

function decoded(url: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(url, 'has a "%" that is none: write %25 for it in a name or password');
  }
}

function wrong(url: string, what: string): TidemarkError {
  return new TidemarkError('CONFIG_INVALID', `nats ${JSON.stringify(maskedUrl(url))} ${what}`);
}
