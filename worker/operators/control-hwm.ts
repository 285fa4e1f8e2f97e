/**
 * The verb `hwm` of control: the marks as they are, a plan of moving them, or the moving itself.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { MarkPlan, MarksSet, MarkTarget } from '../../contracts/mark-move.ts';
import type { MarksFile } from '../../contracts/status.ts';
import { isSubjectToken, type Lane, lanes } from '../../contracts/subjects.ts';
import type { MarkMover } from './mark-mover.ts';

const textCharsMax = 500;

/**
 * `{}` shows the marks; `{plan: {...}}` and `{set: {...}}` as in contracts/mark-move.ts.
 * @throws TidemarkError INVALID_MESSAGE naming the field
 */
export function hwmVerb(
  body: JsonObject,
  parts: { markMover: MarkMover; marksFile: () => MarksFile },
): MarksFile | Promise<MarkPlan | MarksSet> {
  const { plan, set } = body;
  if (isJsonObject(plan)) return parts.markMover.plan(decodeTarget(plan));
  if (!isJsonObject(set)) return parts.marksFile();
  const [Reason, Plan, By] = [textOf(set, 'Reason'), textOf(set, 'Plan'), textOf(set, 'By')];
  if (Reason === undefined) throw invalid('Reason: say why, for those who find it later');
  return parts.markMover.set({
    ...decodeTarget(set),
    Reason,
    Force: set['Force'] === true,
    ...(Plan === undefined ? {} : { Plan }),
    ...(By === undefined ? {} : { By }),
  });
}

function decodeTarget(body: JsonObject): MarkTarget {
  const { To, BeaconID, IDBeaconConnection } = body;
  const isSeq = typeof To === 'number' && Number.isSafeInteger(To) && To >= 0;
  if (!isSeq && typeof To !== 'string')
    throw invalid('To: expected a Seq, an integer from 0, or a time as 2026-01-31T12:00:00Z');
  const lane = body['Lane'];
  if (lane !== undefined && !isLane(lane)) throw invalid(`Lane: expected ${lanes.join(' or ')}`);
  const isBeaconNamed = BeaconID !== undefined || IDBeaconConnection !== undefined;
  if (
    isBeaconNamed &&
    (typeof BeaconID !== 'string' ||
      !isSubjectToken(BeaconID) ||
      typeof IDBeaconConnection !== 'number')
  ) {
    throw invalid('BeaconID, IDBeaconConnection: expected both, an id and an integer, or none');
  }
  return {
    To,
    ...(lane === undefined ? {} : { Lane: lane }),
    ...(isBeaconNamed
      ? { BeaconID: BeaconID as string, IDBeaconConnection: IDBeaconConnection as number }
      : {}),
  };
}

function isLane(value: unknown): value is Lane {
  return lanes.includes(value as Lane);
}

function textOf(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.trim() === '' || value.length > textCharsMax)
    throw invalid(`${name}: expected a text of 1 to ${textCharsMax} characters`);
  return value;
}

function invalid(message: string): TidemarkError {
  return new TidemarkError('INVALID_MESSAGE', message);
}
