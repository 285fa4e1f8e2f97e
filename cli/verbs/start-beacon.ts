/**
 * Composition root of the `beacon` verb: the only place outside `beacon/` that starts a databeacon.
 * Loads it only on demand.
 */
import type { SchemaPlan } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { BusOptions } from '../../runtime/bus/bus-login.ts';
import type { HttpSettings } from '../../runtime/http/http-access.ts';
import type { ServiceManagerPlace } from '../../runtime/service-manager.ts';

export type BeaconSettings = {
  beaconId: string;
  databases: string[];
  dataDir: string;
  isBatchOn: boolean;
  acceptsUnscoped: boolean;
  allowWrites: boolean;
  createConnections?: string;
  http?: string;
  front?: string;
  provider?: 'memory' | 'sqlite';
  token: string | null;
  access: HttpSettings;
  /** Each is `name=value`. */
  tags: readonly string[];
};

export type AuditQuery = { dataDir: string; user?: string; limit: number };

/**
 * Lines of a beacon's audit from its own file, newest first.
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
 * The statements a bootstrap would run in a database; runs none of them.
 * @throws TidemarkError
 */
export async function beaconPlan(url: string, connection: number): Promise<SchemaPlan> {
  const { planOf } = await import('../../beacon/process/plan.ts');
  return planOf(url, connection);
}

/**
 * Runs until asked to stop.
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
      throw new TidemarkError(
        'CONFIG_INVALID',
        `tag ${JSON.stringify(tag)}: expected <name>=<value>`,
      );
    tags[tag.slice(0, at)] = tag.slice(at + 1);
  }
  const { runBeacon } = await import('../../beacon/process/command.ts');
  return runBeacon({ ...settings, tags }, bus, surroundings);
}
