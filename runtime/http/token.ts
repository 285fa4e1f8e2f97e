/**
 * The bearer token of the HTTP interface: the operator's, else one made once and kept in the data
 * directory for whoever may read it.
 */
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { newUuid } from '../clock.ts';
import type { HttpSettings } from './http-access.ts';

/** @throws TidemarkError CONFIG_INVALID when the file can neither be read nor made */
export function tokenIn(dataDir: string): string {
  const path = join(dataDir, 'token');
  if (!existsSync(path)) make(path);
  chmodSync(path, 0o600);
  const token = readFileSync(path, 'utf8').trim();
  if (token === '')
    throw new TidemarkError(
      'CONFIG_INVALID',
      `${path} is empty; remove it to get a new token, or set TIDEMARK_TOKEN`,
    );
  return token;
}

/**
 * The settings with a token that may operate, whatever the operator gave.
 * @throws TidemarkError CONFIG_INVALID as `tokenIn`
 */
export function withToken(
  settings: HttpSettings,
  own: string | null,
  dataDir: string,
): HttpSettings {
  if (own === null && settings.tokens.some(({ role }) => role === 'operate')) return settings;
  return {
    ...settings,
    tokens: [
      { name: 'operator', role: 'operate', token: own ?? tokenIn(dataDir) },
      ...settings.tokens,
    ],
  };
}

/**
 * Under its name only once it is whole: a full disk would leave an empty file, and no process would
 * start over it. Whoever else is first has made it.
 */
function make(path: string): void {
  const beside = `${path}.${process.pid}`;
  try {
    writeFileSync(beside, `${newUuid()}\n`, { mode: 0o600, flush: true });
    linkSync(beside, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new TidemarkError('CONFIG_INVALID', `cannot write ${path}: ${messageOf(cause)}`, {
        cause,
      });
  } finally {
    rmSync(beside, { force: true });
  }
}
