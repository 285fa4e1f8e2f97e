/**
 * `QueuePersistence` and `ManifestStore` over a provider: each write takes effect once however
 * often it is sent, and none is lost silently.
 */
import { legacyCapabilities } from '../../contracts/capability.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import { type JsonObject, toJsonValue } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { newUuid } from '../../runtime/clock.ts';
import { bounds } from '../bounds.ts';
import type { Actions } from '../gateway/gateway.ts';
import { integerAt, objectAt, type Settings, textAt } from '../settings.ts';
import { limitOf, wantedOf } from './legacy-list.ts';
import {
  attempts,
  differing,
  filled,
  manifests,
  merged,
  summaryOf,
  workItems,
} from './legacy-row.ts';
import type { LegacyProvider } from './provider.ts';

/** `Code` NOT_FOUND: there was no row to patch, and none was created. */
export type LegacyAnswer = {
  Success: boolean;
  Reason?: string;
  Code?: 'NOT_FOUND';
  AlreadyPresent?: true;
  AlreadyAbsent?: true;
};

const done: LegacyAnswer = { Success: true };
const hashCharsMax = 128;
const manifestsDefault = 100;

/** @throws TidemarkError INVALID_MESSAGE */
function rowAt(settings: Settings, name: string): JsonObject {
  return toJsonValue(
    objectAt(settings[name], `Settings.${name}`),
    `Settings.${name}`,
  ) as JsonObject;
}

function attemptKey(hash: string, number: number): string {
  return JSON.stringify([hash, number]);
}

function attemptNumberAt(settings: Settings): number {
  return integerAt(settings, 'AttemptNumber', 0, 2_147_483_647);
}

/**
 * Handlers by capability and action. Providers are synchronous, so reading a row and writing it is
 * one step.
 */
export function legacyActions(provider: LegacyProvider): Actions {
  return {
    [legacyCapabilities.queue]: {
      ...workItemActions(provider),
      ...eventActions(provider),
      ...attemptActions(provider),
    },
    [legacyCapabilities.manifest]: manifestActions(provider),
  };
}

function workItemActions(provider: LegacyProvider): Actions[string] {
  const listing = {
    table: workItems,
    orderBy: 'EnqueuedAt',
    key: 'WorkItemHash',
    limit: limits.listRowsDefault,
  };
  return {
    QP_UpsertWorkItem: (settings): LegacyAnswer => {
      const item = rowAt(settings, 'WorkItem');
      const key = textAt(item, 'WorkItemHash', hashCharsMax, 'Settings.WorkItem.WorkItemHash');
      provider.write([
        { kind: 'workItems', key, row: merged(workItems, provider.find('workItems', key), item) },
      ]);
      return done;
    },
    QP_UpdateWorkItem: (settings): LegacyAnswer => {
      const key = textAt(settings, 'WorkItemHash', hashCharsMax);
      const found = provider.find('workItems', key);
      if (!found)
        return {
          Success: false,
          Code: 'NOT_FOUND',
          Reason: `work item ${key} not found: nothing was patched`,
        };
      provider.write([
        {
          kind: 'workItems',
          key,
          row: merged(workItems, found, { ...rowAt(settings, 'Patch'), WorkItemHash: key }),
        },
      ]);
      return done;
    },
    QP_GetWorkItemByHash: (settings) => {
      const found = provider.find('workItems', textAt(settings, 'WorkItemHash', hashCharsMax));
      return { Success: found !== null, WorkItem: found };
    },
    QP_ListWorkItems: (settings) => ({
      Success: true,
      WorkItems: provider.list('workItems', wantedOf(listing, settings)),
    }),
  };
}

function eventActions(provider: LegacyProvider): Actions[string] {
  const order = ['EmittedAt', 'Seq'].map((field) => ({ field, isDescending: false }));
  return {
    QP_AppendEvent: (settings): LegacyAnswer => {
      const event = rowAt(settings, 'Event');
      textAt(event, 'WorkItemHash', hashCharsMax, 'Settings.Event.WorkItemHash');
      // An event without a GUID cannot be recognised when repeated; it is stored under a new one.
      const key =
        typeof event['EventGUID'] === 'string' && event['EventGUID'] !== ''
          ? event['EventGUID']
          : newUuid();
      const found = provider.find('events', key);
      if (!found) {
        provider.write([{ kind: 'events', key, row: { ...event, EventGUID: key } }]);
        return done;
      }
      // The worker may have filled these in, and another journal would fill in others.
      const { EmittedAt: _at, Seq: _seq, ...said } = event;
      const fields = differing(found, said);
      if (fields.length === 0) return { Success: true, AlreadyPresent: true };
      return {
        Success: false,
        Reason: `event ${key} exists with other values in ${fields.join(', ')}`.slice(
          0,
          bounds.reasonCharsMax,
        ),
      };
    },
    QP_GetEvents: (settings) => {
      const hash = textAt(settings, 'WorkItemHash', hashCharsMax);
      return {
        Success: true,
        Events: provider.list('events', {
          terms: [{ field: 'WorkItemHash', values: [hash] }],
          order,
          limit: limitOf(settings, limits.listRowsDefault),
        }),
      };
    },
  };
}

function attemptActions(provider: LegacyProvider): Actions[string] {
  return {
    QP_InsertAttempt: (settings): LegacyAnswer => {
      const attempt = rowAt(settings, 'Attempt');
      const key = attemptKey(
        textAt(attempt, 'WorkItemHash', hashCharsMax, 'Settings.Attempt.WorkItemHash'),
        attemptNumberAt(attempt),
      );
      const found = provider.find('attempts', key);
      // A repeated insert must not undo an outcome.
      provider.write([
        {
          kind: 'attempts',
          key,
          row: found ? filled(attempts, found, attempt) : merged(attempts, null, attempt),
        },
      ]);
      return found ? { Success: true, AlreadyPresent: true } : done;
    },
    QP_UpdateAttemptOutcome: (settings): LegacyAnswer => {
      const hash = textAt(settings, 'WorkItemHash', hashCharsMax);
      const number = attemptNumberAt(settings);
      const key = attemptKey(hash, number);
      const found = provider.find('attempts', key);
      if (!found)
        return {
          Success: false,
          Code: 'NOT_FOUND',
          Reason: `attempt ${number} of work item ${hash} not found: nothing was patched`,
        };
      provider.write([
        {
          kind: 'attempts',
          key,
          row: merged(attempts, found, {
            ...rowAt(settings, 'Patch'),
            WorkItemHash: hash,
            AttemptNumber: number,
          }),
        },
      ]);
      return done;
    },
  };
}

function manifestActions(provider: LegacyProvider): Actions[string] {
  const listing = { table: manifests, orderBy: 'StartTime', key: 'Hash', limit: manifestsDefault };
  return {
    MS_UpsertManifest: (settings): LegacyAnswer => {
      const manifest = rowAt(settings, 'Manifest');
      const key = textAt(manifest, 'Hash', hashCharsMax, 'Settings.Manifest.Hash');
      provider.write([
        { kind: 'manifests', key, row: summaryOf(manifest) },
        { kind: 'runs', key, row: manifest },
      ]);
      return done;
    },
    MS_RemoveManifest: (settings): LegacyAnswer => {
      const key = textAt(settings, 'RunHash', hashCharsMax);
      if (!provider.find('manifests', key)) return { Success: true, AlreadyAbsent: true };
      provider.write([
        { kind: 'manifests', key, row: null },
        { kind: 'runs', key, row: null },
      ]);
      return done;
    },
    MS_GetManifest: (settings) => {
      const found = provider.find('runs', textAt(settings, 'RunHash', hashCharsMax));
      return { Success: found !== null, Manifest: found };
    },
    MS_ListManifests: (settings) => {
      const wanted = wantedOf(listing, settings);
      const rows = provider.list('manifests', wanted);
      return { Success: true, Manifests: wanted.isFull ? rows.map(whole(provider)) : rows };
    },
  };
}

/** Replaces summaries by the full manifests, as long as they fit into an answer. */
function whole(provider: LegacyProvider): (row: JsonObject) => JsonObject {
  let chars = 0;
  return (row) => {
    const manifest = provider.find('runs', String(row['Hash'])) ?? row;
    chars += JSON.stringify(manifest).length;
    if (chars > bounds.answerBytesMax)
      throw new TidemarkError(
        'TOO_LARGE',
        `the manifests have more than ${bounds.answerBytesMax} bytes; ask for fewer`,
      );
    return manifest;
  };
}
