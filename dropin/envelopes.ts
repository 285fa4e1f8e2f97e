/**
 * The incumbent's result envelopes, made from the worker's replies: every call resolves, and
 * `Success` says what became of it.
 */
import { TidemarkError, toRefusal } from '../contracts/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../contracts/json-value.ts';
import type { WriteReply } from '../contracts/reply.ts';

/**
 * What every call of a bridge resolves with; further members are the worker's (`Seq`, `EventGUID`,
 * `Source`) or the payload of a read.
 */
export type BridgeReply = {
  Available: boolean;
  Success: boolean;
  Reason?: string;
  Code?: string;
} & Record<string, unknown>;

/** Payload members of each bridge's reads, as the incumbent gives them with nothing in. */
const nothing = {
  queue: { WorkItem: null, WorkItems: [], Events: [] },
  manifest: { Manifest: null, Manifests: [] },
} as const;

/** A repeat is told by the incumbent's word as well. */
export function written(reply: WriteReply): BridgeReply {
  return reply.Duplicate ? { ...reply, AlreadyPresent: true } : { ...reply };
}

/**
 * A list, or a row that is there. A row that is not is `Success: false` with null, as callers of
 * the incumbent expect; `Code` tells a miss from a failure.
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
 * Whatever was thrown. Nobody to ask is `Available: false`; a refusal, or too much waiting already,
 * is `Available: true`.
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
 * A filter as hubs give it to the incumbent: empty members say nothing, and a limit out of range is
 * brought back into it. Members the worker does not know are left in, and refused: a list that
 * ignores a filter is a wrong list.
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

/** 1 to the most; none for what is no number above 0. */
export function listLimit(given: unknown, limitMax: number): number | undefined {
  const limit = Math.trunc(Number(given));
  return limit >= 1 ? Math.min(limit, limitMax) : undefined;
}
