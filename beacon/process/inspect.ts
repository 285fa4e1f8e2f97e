/** For the command line, without a running beacon: reads a beacon's audit. */
import { readAudit } from '../databases/state.ts';

/**
 * Lines of a beacon's audit, newest first.
 * @throws TidemarkError NOT_THERE without a state in the folder
 */
export function auditLines(
  dataDir: string,
  query: { user?: string; limit: number },
): Record<string, string | number>[] {
  return readAudit(dataDir, query).map(
    ({ at, remoteUser, capability, action, connection, table, outcome, count, detail }) => ({
      At: at,
      RemoteUser: remoteUser,
      Capability: capability,
      Action: action,
      IDBeaconConnection: connection,
      Table: table,
      Outcome: outcome,
      Count: count,
      Detail: detail,
    }),
  );
}
