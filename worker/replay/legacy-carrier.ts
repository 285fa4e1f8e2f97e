/**
 * Sends journal entries as the domain actions they came as (`QP_*`, `MS_*`), one request each, to a
 * beacon that stores rows itself.
 *
 * Such a beacon has no Seq and no mark. After a lost answer the same request is sent again, in the
 * same order within its key, and events carry a GUID. So a beacon that merges rows by key and
 * events by GUID ends up as if each request had come once.
 */
import { type Entry, isFillOnly } from '../../bridges/entry.ts';
import type { WriteAction } from '../../contracts/actions.ts';
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isJsonObject, type JsonObject } from '../../contracts/body/json-value.ts';
import type { MutationResult, RowMutation } from '../../contracts/mutation.ts';
import type { Lane } from '../../contracts/subjects.ts';
import type { Carrier, Delivered, Delivery, SentWrite } from './carrier.ts';
import type { Dispatcher } from '../beacons/dispatcher.ts';
import { inTurns } from './key-turns.ts';
import { delivering } from '../journal/trace.ts';

/** Refusals that a retry cannot change. */
const permanent: readonly string[] = ['INVALID_MESSAGE', 'CONFLICT', 'NOT_FOUND', 'TOO_LARGE'];
/** Temporary failures, which some beacons report only as the text of a reason. */
const temporaryCodes: readonly unknown[] = ['UNAVAILABLE', 'OVERLOADED', 'STORAGE_FAILED'];
const temporaryWords = new RegExp(
  [
    String.raw`\b(?:unavailable|timed out|timeout|try again|database is locked)\b`,
    String.raw`\bdisk (?:is )?full\b`,
    String.raw`\bE(?:CONNREFUSED|CONNRESET|TIMEDOUT|NOSPC)\b`,
  ].join('|'),
  'i',
);
/** How a beacon words a missing row when it does not answer NOT_FOUND. */
const absentWords = /\bunknown\b|\bnot found\b|\bno such\b|\bdoes not exist\b/i;

type Outputs = Readonly<Record<string, unknown>>;

export class LegacyCarrier implements Carrier {
  readonly name = 'legacy';
  readonly isAtomic = false;
  readonly isVerbatim = true;
  readonly #dispatcher: Dispatcher;
  readonly #route: { beacon: string; lane: Lane };

  constructor(dispatcher: Dispatcher, route: { beacon: string; lane: Lane }) {
    this.#dispatcher = dispatcher;
    this.#route = route;
  }

  async apply(delivery: Delivery): Promise<Delivered> {
    return {
      results: await inTurns(delivery.writes, (write) => this.#send(write)),
      isCommitted: true,
    };
  }

  /** A legacy beacon keeps no mark. */
  mark(): Promise<null> {
    return Promise.resolve(null);
  }

  async #send({ mutation, entry }: SentWrite): Promise<MutationResult> {
    const { beacon, lane } = this.#route;
    if (!entry) throw new TidemarkError('INTERNAL', `Seq ${mutation.Seq} came without its entry`);
    const request = (action: string, settings: JsonObject) =>
      this.#dispatcher.send<Outputs>(beacon, lane, action, settings);
    const { trace } = entry;
    // Each request is a single write here, so it continues that write's trace instead of the
    // delivery's.
    const ask =
      trace === undefined
        ? request
        : (action: string, settings: JsonObject) =>
            delivering({ beacon, lane, carrier: this.name, entries: 1 }, [trace], () =>
              request(action, settings),
            );
    try {
      if (isFillOnly(entry)) return await this.#fill(entry, ask);
      const outputs = await ask(entry.action, settingsOf(entry, mutation));
      const creation = isAbsent(outputs) ? creationOf(entry) : null;
      return toResult(
        creation ? await ask(creation.action, creation.settings) : outputs,
        entry,
        beacon,
      );
    } catch (error) {
      if (error instanceof TidemarkError && permanent.includes(error.code))
        return { Outcome: 'rejected', Reason: messageOf(error) };
      throw error;
    }
  }

  /** A fill-only write: such a beacon would overwrite the row, so it is read first. */
  async #fill(
    entry: Entry,
    ask: (action: string, settings: JsonObject) => Promise<Outputs>,
  ): Promise<MutationResult> {
    const { beacon } = this.#route;
    const { action, key, settings } = entry;
    if (action !== 'QP_UpsertWorkItem' && action !== 'MS_UpsertManifest')
      return toResult(await ask(action, settings), entry, beacon);
    const { name, read, key: keyName } = filled[action];
    const there = (await ask(read, { [keyName]: key }))[name];
    if (!isJsonObject(there)) return toResult(await ask(action, settings), entry, beacon);
    if (action === 'MS_UpsertManifest') return { Outcome: 'already-present' };
    const patch = missingIn(there, settings['WorkItem']);
    if (Object.keys(patch).length === 0) return { Outcome: 'already-present' };
    const update = { WorkItemHash: key, Patch: patch };
    return toResult(await ask('QP_UpdateWorkItem', update), entry, beacon);
  }
}

/** How to read the rows that a write may fill. */
const filled = {
  QP_UpsertWorkItem: { name: 'WorkItem', read: 'QP_GetWorkItemByHash', key: 'WorkItemHash' },
  MS_UpsertManifest: { name: 'Manifest', read: 'MS_GetManifest', key: 'RunHash' },
} as const;

/** The Settings as the hub sent them; an event gets the GUID, time and count it lacks. */
function settingsOf(entry: Entry, mutation: RowMutation): JsonObject {
  const event = entry.settings['Event'];
  if (entry.action !== 'QP_AppendEvent' || !isJsonObject(event)) return entry.settings;
  return {
    ...entry.settings,
    Event: { ...event, ...mutation.Fill, EventGUID: mutation.Key['EventGUID'] ?? entry.eventGuid },
  };
}

/**
 * A patch of a missing row creates it, as in any database, because hubs patch rows they never
 * announced. Null when the entry is no patch.
 */
function creationOf({
  action,
  key,
  settings,
}: Entry): { action: WriteAction; settings: JsonObject } | null {
  const patch = isJsonObject(settings['Patch']) ? settings['Patch'] : {};
  if (action === 'QP_UpdateWorkItem')
    return { action: 'QP_UpsertWorkItem', settings: { WorkItem: { ...patch, WorkItemHash: key } } };
  if (action !== 'QP_UpdateAttemptOutcome') return null;
  return {
    action: 'QP_InsertAttempt',
    settings: {
      Attempt: { ...patch, WorkItemHash: key, AttemptNumber: settings['AttemptNumber'] ?? 0 },
    },
  };
}

/** Members of the given row that the existing row has no value for. */
function missingIn(there: JsonObject, given: unknown): JsonObject {
  const members = isJsonObject(given) ? Object.entries(given) : [];
  const isEmpty = (value: unknown) => value === null || value === undefined || value === '';
  return Object.fromEntries(
    members.filter(([name, value]) => isEmpty(there[name]) && !isEmpty(value)),
  );
}

function isAbsent({ Success, Code, Reason }: Outputs): boolean {
  return (
    Success === false &&
    (Code === 'NOT_FOUND' || (typeof Reason === 'string' && absentWords.test(Reason)))
  );
}

/**
 * @throws TidemarkError UNAVAILABLE for a temporary refusal, and for something that is no answer
 */
function toResult(outputs: Outputs, entry: Entry, beacon: string): MutationResult {
  if (outputs['Success'] === true)
    return {
      Outcome:
        outputs['AlreadyPresent'] === true
          ? 'already-present'
          : outputs['AlreadyAbsent'] === true
            ? 'not-found'
            : 'applied',
    };
  if (outputs['Success'] !== false)
    throw new TidemarkError('UNAVAILABLE', `${beacon} answered ${entry.action} without Success`);
  const reason =
    typeof outputs['Reason'] === 'string' && outputs['Reason'] !== ''
      ? outputs['Reason']
      : 'the beacon gave no reason';
  if (entry.action === 'MS_RemoveManifest' && isAbsent(outputs)) return { Outcome: 'not-found' };
  if (temporaryCodes.includes(outputs['Code']) || temporaryWords.test(reason))
    throw new TidemarkError('UNAVAILABLE', `${beacon}: ${entry.action}: ${reason}`);
  return { Outcome: 'rejected', Reason: reason };
}
