/**
 * Checks whether a worker could start with the settings, beyond what each setting shows by itself.
 * Starts and creates nothing.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { decodeAddress } from '../../runtime/http/http-access.ts';
import { assertDurable } from '../../worker/state/open/file-system.ts';
import type { CliConfig } from './config.ts';

/** @throws TidemarkError CONFIG_INVALID for the first problem */
export function assertUsable(config: CliConfig): void {
  decodeAddress(config.http, config.token !== null);
  assertDurable(config.data, config.isAnyFileSystem);
  assertWritable(config);
}

/** @throws TidemarkError CONFIG_INVALID for a data directory that cannot be created or written */
function assertWritable({ data }: CliConfig): void {
  let nearest = data;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  try {
    accessSync(nearest, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `the data directory ${data} cannot be written: ${messageOf(cause)}; run this as the user of the worker`,
      { cause },
    );
  }
}
