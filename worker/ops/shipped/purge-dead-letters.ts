/**
 * Drops dead letters by age or reason, as `dead-letters drop` does one by one: they stay counted,
 * and the writes parked behind them are delivered.
 */
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { laneIndex } from '../../../contracts/subjects.ts';
import { BlockedStore } from '../../../hwm/blocked-store.ts';
import { countArg, lanesArg } from '../arguments.ts';
import { type OperationContext, shippedOperation } from '../operation.ts';

const dayMs = 24 * 3_600_000;

export const purgeDeadLetters = shippedOperation({
  description: 'drop dead letters by age or reason, and deliver the writes parked behind them',
  args: {
    'older-than-days': 'only those that became dead letters at least this many days ago',
    reason: 'only those whose reason contains this text',
    lane: 'queue or manifest, instead of both',
  },
  step: (context, cursor) => {
    const found = matching(context);
    const blocked = new BlockedStore(context.db);
    for (const { database, seq } of found) blocked.drop(database, seq, context.nowMs);
    const given = Number(cursor ?? 0) + found.length;
    return found.length < limits.purgeStepEntries
      ? { cursor: null, note: `${given} dead letters dropped` }
      : { cursor: String(given) };
  },
});

function matching({ db, args, nowMs }: OperationContext): { database: number; seq: number }[] {
  const days = countArg(args, 'older-than-days', 0, null);
  const reason = args['reason'] ?? null;
  if (days === null && reason === null)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      'say which: older-than-days=<n>, reason=<text>, or both',
    );
  const [first, second = first] = lanesArg(args).map(laneIndex);
  return db
    .prepare(`select database, seq from held where state = 'dead' and lane in (@first, @second) and since_ms <= @sinceMs
    and (@reason is null or instr(coalesce(reason, ''), @reason) > 0) order by database, seq limit @limit`)
    .all({
      first,
      second,
      sinceMs: days === null ? nowMs : nowMs - days * dayMs,
      reason,
      limit: limits.purgeStepEntries,
    }) as { database: number; seq: number }[];
}
