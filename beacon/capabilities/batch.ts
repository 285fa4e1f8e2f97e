/**
 * DataBeaconBatch: an ordered list of row mutations in one database transaction together with the
 * hub's mark row.
 */
import { fittingReasons, insistOnAnswer, resultBytes } from '../../contracts/body/answer-room.ts';
import type { ApplyOutputs } from '../../contracts/capability.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { Row, RowMutation } from '../../contracts/mutation.ts';
import { isSubjectToken, type Lane, lanes } from '../../contracts/subjects.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import { bounds } from '../bounds.ts';
import type { DatabaseConnection } from '../databases/connections.ts';
import type { ApplyBatch } from '../engine/engine.ts';
import { booleanAt, integerAt, listAt, refuse, type Settings, textAt } from '../settings.ts';

const epochCharsMax = 36;
const ownerCharsMax = 36;

/**
 * The hub and lane of a batch or mark.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function hubAt(settings: Settings): { hubId: string; lane: Lane } {
  const hubId = textAt(settings, 'HubID', limits.hubIdCharsMax);
  if (!isSubjectToken(hubId)) throw refuse('Settings.HubID', 'letters, digits, _ or -', hubId);
  const lane = lanes.find((one) => one === settings['Lane']);
  if (!lane) throw refuse('Settings.Lane', 'queue or manifest', settings['Lane']);
  return { hubId, lane };
}

/**
 * Checks what the statements rely on. A value that does not fit its column is an outcome of its
 * mutation instead.
 */
function mutationAt(value: unknown, at: number): RowMutation {
  const path = (name: string) => `Settings.Mutations[${at}]${name}`;
  if (!isJsonObject(value)) throw refuse(path(''), 'an object', value);
  const { Op, Table, Key, Seq, Term, Set: set, Fill, Merge, RemoteUser } = value;
  if (Op !== 'insert' && Op !== 'write' && Op !== 'delete')
    throw refuse(path('.Op'), 'insert, write or delete', Op);
  if (typeof Table !== 'string' || Table === '' || Table.length > 128)
    throw refuse(path('.Table'), 'a table name', Table);
  if (typeof Seq !== 'number' || !Number.isSafeInteger(Seq) || Seq < 0)
    throw refuse(path('.Seq'), 'an integer of at least 0', Seq);
  if (Term !== undefined && !isTerm(Term))
    throw refuse(path('.Term'), 'an integer of at least 0', Term);
  if (!isJsonObject(Key) || Object.keys(Key).length === 0)
    throw refuse(path('.Key'), 'an object with at least one column', Key);
  if (set !== undefined && !isJsonObject(set)) throw refuse(path('.Set'), 'an object', set);
  if (Fill !== undefined && !isJsonObject(Fill)) throw refuse(path('.Fill'), 'an object', Fill);
  if (Merge !== undefined && !isJsonObject(Merge)) throw refuse(path('.Merge'), 'an object', Merge);
  for (const [name, members] of Object.entries(Merge ?? {})) {
    if (!isJsonObject(members)) throw refuse(path(`.Merge.${name}`), 'an object', members);
  }
  return {
    Op,
    Table,
    Seq,
    ...(Term ? { Term } : {}),
    Key: Key as Row,
    Set: (set ?? {}) as Row,
    ...(Fill ? { Fill: Fill as Row } : {}),
    ...(Merge ? { Merge: Merge as Record<string, JsonObject> } : {}),
    ...(typeof RemoteUser === 'string' ? { RemoteUser } : {}),
  };
}

function isTerm(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * An owner accepts under its own Term or hands on what earlier ones accepted. Rows of a greater one
 * would stand in the way of every owner to come.
 */
function insistOnTerms(mutations: readonly RowMutation[], term: number): void {
  const at = mutations.findIndex(({ Term = 0 }) => Term > term);
  if (at >= 0)
    throw refuse(
      `Settings.Mutations[${at}].Term`,
      `at most the Term of the batch, ${term}`,
      mutations[at]?.Term,
    );
}

/**
 * The checked Settings of Apply.
 * @throws TidemarkError INVALID_MESSAGE
 */
export function decodeApply(
  settings: Settings,
  connection: DatabaseConnection,
  clock: Clock,
): ApplyBatch {
  const given = settings['AfterEpoch'];
  const term = integerAt(settings, 'Term', 0, Number.MAX_SAFE_INTEGER, 0);
  const batch: ApplyBatch = {
    ...hubAt(settings),
    epoch: textAt(settings, 'Epoch', epochCharsMax),
    term,
    owner: term > 0 ? textAt(settings, 'Owner', ownerCharsMax) : '',
    throughSeq: integerAt(settings, 'ThroughSeq', 0, Number.MAX_SAFE_INTEGER),
    isBelowMark: booleanAt(settings, 'IsBelowMark') ?? false,
    afterSeq: integerAt(settings, 'AfterSeq', 0, Number.MAX_SAFE_INTEGER, 0),
    afterEpoch:
      given === undefined || given === '' ? given : textAt(settings, 'AfterEpoch', epochCharsMax),
    mutations: listAt(settings['Mutations'], 'Settings.Mutations', bounds.mutationsMax).map(
      mutationAt,
    ),
    defaults: connection.defaults,
    now: isoOf(clock.nowMs()),
  };
  insistOnTerms(batch.mutations, term);
  return batch;
}

/**
 * Runs one Apply at a time for each hub and lane of a connection.
 * @param roomBytes most bytes of the answer
 * @throws TidemarkError UNAVAILABLE when the database itself fails, TOO_LARGE when the answer would
 * not fit; nothing was changed then
 */
export async function apply(
  batch: ApplyBatch,
  connection: DatabaseConnection,
  roomBytes: number = limits.bodyBytesMax,
): Promise<ApplyOutputs> {
  insistOnAnswer(batch.mutations.length, resultBytes.mutation, roomBytes);
  const outputs = await connection.applies.run(batch, () =>
    connection.engine.apply({ ...batch, defaults: connection.defaults }),
  );
  const results = fittingReasons(outputs.Results, resultBytes.mutation, roomBytes);
  return { ...outputs, Results: [...results] };
}

/** Counts the mutations by user, for the audit. */
export function usersOf(batch: ApplyBatch, remoteUser: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { RemoteUser: user = remoteUser } of batch.mutations)
    counts.set(user, (counts.get(user) ?? 0) + 1);
  return counts;
}
