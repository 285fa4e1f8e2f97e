/**
 * Turns the worker's replies into the incumbent's result envelopes: every call resolves, and
 * `Success` tells the outcome.
 */
import { TidemarkError, toRefusal } from '../contracts/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../contracts/body/json-value.ts';
import type { WriteReply } from '../contracts/reply.ts';

/**
 * What every call of a bridge resolves with. Further members are the worker's (`Seq`, `EventGUID`,
 * `Source`) or the payload of a read.
 */
export type BridgeReply = {
  Available: boolean;
  Success: boolean;
  Reason?: string;
  Code?: string;
} & Record<string, unknown>;

/** Empty payloads of each bridge's reads, as the incumbent returns them. */
const nothing = {
  queue: { WorkItem: null, WorkItems: [], Events: [] },
  manifest: { Manifest: null, Manifests: [] },
} as const;

/** A repeat is told by the incumbent's word as well. */
export function written(reply: WriteReply): BridgeReply {
  return reply.Duplicate ? { ...reply, AlreadyPresent: true } : { ...reply };
}

/**
 * A list, or an existing row. A missing row is `Success: false` with null, as callers of the
 * incumbent expect; `Code` distinguishes it from a failure.
 */
export function toReadReply(
  reply: JsonObject,
  row?: 'WorkItem' | 'Manifest',
  key = '',
): BridgeReply {
  const answer = reply as BridgeReply;
  if (row === undefined || reply[row] !== null) return { ...answer };
  return {
    ...answer,
    Success: false,
    Code: 'NOT_FOUND',
    Reason: `there is no ${row === 'WorkItem' ? 'work item' : 'manifest'} ${key}`,
  };
}

/**
 * Turns any thrown value into a reply. `Available` is false when nobody answered, true for a
 * refusal or when too many writes are waiting.
 */
export function refused(thrown: unknown): BridgeReply {
  const error =
    thrown instanceof TidemarkError && thrown.code === 'CLOSED'
      ? new TidemarkError('UNAVAILABLE', thrown.message)
      : thrown;
  return { ...toRefusal(error) };
}

export function unread(thrown: unknown, lane: keyof typeof nothing): BridgeReply {
  return { ...refused(thrown), ...structuredClone(nothing[lane]) };
}

/**
 * Normalises a filter as hubs pass it to the incumbent: empty members are ignored, and a limit out
 * of range is clamped. Unknown members are kept, so that the worker refuses them: a list that
 * ignores a filter is wrong.
 */
export function filterOf(given: unknown, limitMax: number): Record<string, JsonValue> {
  if (!isJsonObject(given)) return {};
  const named = Object.fromEntries(
    Object.entries(given).filter(
      ([, value]) => value !== null && value !== undefined && value !== '',
    ),
  );
  if (!('Limit' in named)) return named;
  const limit = listLimit(named['Limit'], limitMax);
  const { Limit: _given, ...rest } = named;
  return limit === undefined ? rest : { ...rest, Limit: limit };
}

/** Clamps to 1..`limitMax`; undefined for what is not a number of at least 1. */
export function listLimit(given: unknown, limitMax: number): number | undefined {
  const limit = Math.trunc(Number(given));
  return limit >= 1 ? Math.min(limit, limitMax) : undefined;
}
