/** DataBeaconBatch as actions: what was applied for whom is told to the audit. */
import type { Clock } from '../../runtime/clock.ts';
import type { Connections } from '../databases/connections.ts';
import type { Actions } from '../gateway/gateway.ts';
import { connectionAt } from '../settings.ts';
import { apply, decodeApply, usersOf } from './batch.ts';
import { storedMark } from './stored-mark.ts';

export function batchActions({
  connections,
  clock,
}: {
  connections: Connections;
  clock: Clock;
}): Actions[string] {
  return {
    Apply: async (settings, context) => {
      const connection = connections.get(connectionAt(settings));
      const batch = decodeApply(settings, connection, clock);
      const outputs = await apply(batch, connection, context.roomBytes);
      for (const [user, count] of usersOf(batch, context.remoteUser)) {
        context.audit({
          user,
          count,
          outcome: outputs.IsCommitted ? 'ok' : 'refused',
          detail: `${batch.hubId}.${batch.lane} through ${batch.throughSeq}`,
        });
      }
      return outputs;
    },
    Mark: (settings) => storedMark(settings, connections.get(connectionAt(settings))),
  };
}
