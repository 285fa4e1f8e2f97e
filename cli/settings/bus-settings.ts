/** How to reach and log in to the bus, from the settings of the command line. */
import { statSync } from 'node:fs';
import { TidemarkError } from '../../contracts/errors.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import { decodeBusUrl } from './bus-url.ts';
import { maskedSetting } from './masked.ts';
import type { Value } from './settings.ts';

/** The login as environment variables, because a child process gets the URL without its user. */
export function loginVariables({
  user,
  password,
  token,
  creds,
  nkey,
  tls,
}: Omit<BusOptions, 'name'>): Record<string, string | undefined> {
  return defined({
    NATS_USER: user,
    NATS_PASSWORD: password,
    NATS_TOKEN: token,
    NATS_CREDS: creds,
    NATS_NKEY: nkey,
    NATS_CERT: tls?.cert,
    NATS_KEY: tls?.key,
    NATS_CA: tls?.ca,
  });
}

/** @throws TidemarkError CONFIG_INVALID for an invalid URL, and for a missing file */
export function busOf(url: string, value: Value): Omit<BusOptions, 'name'> {
  const { servers, user, password, token } = decodeBusUrl(url);
  const login = {
    user: value('user') ?? user,
    password: value('password') ?? password,
    token: value('natsToken') ?? token,
  };
  const files = { creds: value('creds'), nkey: value('nkey') };
  const tls = defined({ cert: value('cert'), key: value('key'), ca: value('ca') });
  for (const [name, path] of Object.entries({ ...files, ...tls })) {
    if (path !== undefined && !statSync(path, { throwIfNoEntry: false })?.isFile())
      throw new TidemarkError(
        'CONFIG_INVALID',
        `${name} ${JSON.stringify(maskedSetting(name, path))}: there is no such file`,
      );
  }
  return {
    servers,
    ...defined(login),
    ...defined(files),
    ...(Object.keys(tls).length > 0 ? { tls } : {}),
  };
}

function defined<T extends Record<string, string | undefined>>(
  values: T,
): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string;
  };
}
