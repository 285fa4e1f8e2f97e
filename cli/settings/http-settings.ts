/**
 * Settings of the HTTP interface besides its address: further tokens, host names, its certificate.
 */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import type { HttpSettings } from '../../runtime/http/http-access.ts';
import { type NamedToken, readTokenFile, readTokensFile } from '../../runtime/http/http-tokens.ts';

type Value = (
  name:
    | 'token'
    | 'tokenFile'
    | 'viewToken'
    | 'viewTokenFile'
    | 'tokensFile'
    | 'allowedHosts'
    | 'httpCert'
    | 'httpKey',
) => string | undefined;

/** @throws TidemarkError CONFIG_INVALID naming the setting, never a token */
export function httpSettings(value: Value): HttpSettings {
  const tls = tlsOf(value('httpCert'), value('httpKey'));
  return {
    tokens: tokensOf(value),
    allowedHosts: hostsOf(value('allowedHosts') ?? ''),
    ...(tls ? { tls } : {}),
  };
}

/**
 * The operator's own token, or null.
 * @throws TidemarkError CONFIG_INVALID
 */
export function operatorToken(value: Value): string | null {
  const path = value('tokenFile');
  return value('token') ?? (path === undefined ? null : readTokenFile(path, 'tokenFile'));
}

function tokensOf(value: Value): NamedToken[] {
  const viewFile = value('viewTokenFile');
  const view =
    value('viewToken') ??
    (viewFile === undefined ? null : readTokenFile(viewFile, 'viewTokenFile'));
  const many = value('tokensFile');
  return [
    ...(view === null ? [] : [{ name: 'viewer', role: 'view', token: view } as const]),
    ...(many === undefined ? [] : readTokensFile(many)),
  ];
}

function hostsOf(list: string): string[] {
  const hosts = list
    .split(',')
    .map((host) => host.trim())
    .filter((host) => host !== '');
  const wrong = hosts.find(
    (host) => !/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.test(host),
  );
  if (wrong !== undefined)
    throw new TidemarkError(
      'CONFIG_INVALID',
      `allowedHosts: ${JSON.stringify(wrong)} is not name or name:port; separate several by commas`,
    );
  return hosts;
}

function tlsOf(
  certPath: string | undefined,
  keyPath: string | undefined,
): { cert: string; key: string } | null {
  if (certPath === undefined && keyPath === undefined) return null;
  if (certPath === undefined || keyPath === undefined)
    throw new TidemarkError('CONFIG_INVALID', 'httpCert and httpKey: expected both, or none');
  const pair = { cert: pemOf(certPath, 'httpCert'), key: pemOf(keyPath, 'httpKey') };
  try {
    createSecureContext(pair);
  } catch (cause) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `httpCert ${certPath} and httpKey ${keyPath} do not belong together: ${messageOf(cause)}`,
      { cause },
    );
  }
  return pair;
}

function pemOf(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TidemarkError('CONFIG_INVALID', `${name}: ${messageOf(cause)}`, { cause });
  }
}
