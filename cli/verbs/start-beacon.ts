/**
 * Composition root of the `beacon` verb: the one place outside `beacon/` that starts a databeacon,
 * loaded only when asked for.
 */
import type { EnsureSchemaOutputs } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import type { HttpSettings } from '../../runtime/http/http-access.ts';
import type { ServiceManagerPlace } from '../../runtime/service-manager.ts';

export type BeaconSettings = {
  beaconId: string;
  databases: string[];
  dataDir: string;
  isBatchOn: boolean;
  allowWrites: boolean;
  createConnections?: string;
  http?: string;
  front?: string;
  provider?: 'memory' | 'sqlite';
  token: string | null;
  access: HttpSettings;
  /** `name=value` each. */
  tags: readonly string[];
};

export type AuditQuery = { dataDir: string; user?: string; limit: number };

/**
 * Lines of a beacon's audit, the newest first, from its own file.
 * @throws TidemarkError NOT_THERE
 */
export async function beaconAudit({
  dataDir,
  ...query
}: AuditQuery): Promise<Record<string, string | number>[]> {
  const { auditLines } = await import('../../beacon/process/inspect.ts');
  return auditLines(dataDir, query);
}

/**
 * What a bootstrap would do to a database, statement by statement; nothing is done.
 * @throws TidemarkError
 */
export async function beaconPlan(url: string): Promise<EnsureSchemaOutputs> {
  const { planOf } = await import('../../beacon/process/inspect.ts');
  return planOf(url);
}

/**
 * Runs until it is told to stop.
 * @returns the exit code
 * @throws TidemarkError CONFIG_INVALID for a tag without a name
 */
export async function launchBeacon(
  settings: BeaconSettings,
  bus: BusOptions,
  surroundings: { logLevel: string; serviceManager: ServiceManagerPlace | null },
): Promise<number> {
  const tags: Record<string, string> = {};
  for (const tag of settings.tags) {
    const at = tag.indexOf('=');
    if (at < 1)
      throw new TidemarkError('CONFIG_INVALID', `tag ${JSON.stringify(tag)} is not <name>=<value>`);
    tags[tag.slice(0, at)] = tag.slice(at + 1);
  }
  const { runBeacon } = await import('../../beacon/process/command.ts');
  return runBeacon({ ...settings, tags }, bus, surroundings);
}
