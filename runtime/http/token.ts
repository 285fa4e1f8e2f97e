/**
 * The bearer token of the HTTP interface: the operator's, or one created once and kept in the data
 * directory, readable by its owner only.
 */
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { newUuid } from '../clock.ts';
import type { HttpSettings } from './http-access.ts';

/** @throws TidemarkError CONFIG_INVALID when the file can neither be read nor created */
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
 * The settings with the operator's own token, or a created one if no token may operate.
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
 * Links the complete file into place: a full disk would leave an empty one, with which no process
 * could start. If another process was first, its token is kept.
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
