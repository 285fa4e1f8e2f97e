/**
 * Journal entries as the domain actions they came as, for a beacon that keeps rows by itself:
 * `QP_*` and `MS_*`, one request each.
 *
 * Such a beacon knows no Seq and no mark. What is sent again after a lost answer is the same
 * request again, in the same order of its key, and an event carries what tells a repeat: a beacon
 * that merges rows by their keys and events by their GUIDs is left as if each came once.
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

/** Refusals that no repeat of the same request mends. */
const permanent: readonly string[] = ['INVALID_MESSAGE', 'CONFLICT', 'NOT_FOUND', 'TOO_LARGE'];
/** What passes, where a beacon says it in the place of a reason. */
const temporaryCodes: readonly unknown[] = ['UNAVAILABLE', 'OVERLOADED', 'STORAGE_FAILED'];
const temporaryWords = new RegExp(
  [
    String.raw`\b(?:unavailable|timed out|timeout|try again|database is locked)\b`,
    String.raw`\bdisk (?:is )?full\b`,
    String.raw`\bE(?:CONNREFUSED|CONNRESET|TIMEDOUT|NOSPC)\b`,
  ].join('|'),
  'i',
);
/** How a beacon says that there is no such row, where it does not say NOT_FOUND. */
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

  /** It keeps none. */
  mark(): Promise<null> {
    return Promise.resolve(null);
  }

  async #send({ mutation, entry }: SentWrite): Promise<MutationResult> {
    const { beacon, lane } = this.#route;
    if (!entry) throw new TidemarkError('INTERNAL', `Seq ${mutation.Seq} came without its entry`);
    const request = (action: string, settings: JsonObject) =>
      this.#dispatcher.send<Outputs>(beacon, lane, action, settings);
    const { trace } = entry;
    // Each request is one write here, so that it goes on in that write's trace and not in the one
    // of the delivery.
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

  /** Such a beacon writes over what is there, so it is asked first what that is. */
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

/** What a row has, and a write may fill. */
const filled = {
  QP_UpsertWorkItem: { name: 'WorkItem', read: 'QP_GetWorkItemByHash', key: 'WorkItemHash' },
  MS_UpsertManifest: { name: 'Manifest', read: 'MS_GetManifest', key: 'RunHash' },
} as const;

/** As the hub sent it; an event with what it lacked of GUID, time and count. */
function settingsOf(entry: Entry, mutation: RowMutation): JsonObject {
  const event = entry.settings['Event'];
  if (entry.action !== 'QP_AppendEvent' || !isJsonObject(event)) return entry.settings;
  return {
    ...entry.settings,
    Event: { ...event, ...mutation.Fill, EventGUID: mutation.Key['EventGUID'] ?? entry.eventGuid },
  };
}

/**
 * A patch of what is not there makes the row, as in any database: hubs patch what they never
 * announced. Null for what patches nothing.
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

/** Members of a row that the other has nothing in. */
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

/** @throws TidemarkError UNAVAILABLE for a refusal that passes, and for what is no answer */
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
