/** Environment settings for operations: where they are, and which are skipped. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { TidemarkError } from '../../contracts/errors.ts';
import type { MaintenanceSettings } from '../../worker/upkeep/maintenance.ts';

const flagPrefix = 'TIDEMARK_SKIP_OP_';

/**
 * `TIDEMARK_SKIP_OP_<ID>=1` skips one operation (no other value does),
 * `TIDEMARK_SKIP_OPS_UNTIL=<ISO time>` skips all until then.
 * @throws TidemarkError CONFIG_INVALID for an invalid time; a skip without an end would be
 * forgotten
 */
export function opsSettings(
  value: (name: 'opsDir' | 'skipOpsUntil') => string | undefined,
  environment: NodeJS.ProcessEnv,
  data: string,
): MaintenanceSettings {
  const until = value('skipOpsUntil');
  const allUntilMs = until === undefined ? null : Date.parse(until);
  if (
    allUntilMs !== null &&
    !(Number.isFinite(allUntilMs) && /^\d{4}-\d\d-\d\dT/.test(until ?? ''))
  ) {
    throw new TidemarkError(
      'CONFIG_INVALID',
      `skipOpsUntil ${JSON.stringify(until)} is not a time such as 2026-11-21T05:00Z; all ` +
        'operations can be skipped until a time only',
    );
  }
  const flags = Object.entries(environment)
    .filter(([name, flag]) => name.startsWith(flagPrefix) && flag === '1')
    .map(([name]) => name.slice(flagPrefix.length));
  return {
    folder: resolve(value('opsDir') ?? join(data, 'ops')),
    host: hostname(),
    skips: { flags, allUntilMs },
  };
}
