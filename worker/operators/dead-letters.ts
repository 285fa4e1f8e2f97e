/**
 * Dead letters as operators see them: what a database refused, then one-way messages that were
 * never accepted; whole or in pages.
 */
import type { DeadLetterPage, DeadLetterView } from '../../contracts/console-answers.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import type { BlockedStore } from '../../hwm/blocked-store.ts';
import { isoOf } from '../../runtime/clock.ts';
import type { LaneDelivery } from '../replay/delivery.ts';
import type { Journal } from '../journal/journal.ts';
import type { Refused } from '../journal/refused.ts';

export type DeadLetterOptions = {
  blocked: BlockedStore;
  journal: Journal;
  refused: Refused;
  deliveries: Record<Lane, Pick<LaneDelivery, 'mark'>>;
};

function databasesOf({ deliveries }: DeadLetterOptions): number[] {
  return [...new Set(lanes.flatMap((lane) => deliveries[lane].mark()?.database ?? []))];
}

/** What the assigned databases refused, above a Seq and in its order. */
export function deadLetters(
  parts: DeadLetterOptions,
  after: number,
  limit: number,
): DeadLetterView[] {
  const dead = databasesOf(parts).flatMap((database) => parts.blocked.list(database, limit, after));
  return dead
    .toSorted((a, b) => a.seq - b.seq)
    .slice(0, limit)
    .map((one) => {
      const entry = parts.journal.read(one.seq);
      return {
        Seq: one.seq,
        Lane: lanes[one.lane] ?? '',
        Action: entry?.action ?? '',
        Key: one.key,
        EventGUID: entry?.eventGuid ?? null,
        Reason: one.reason ?? '',
        At: isoOf(one.sinceMs),
        Parked: one.parked,
      };
    });
}

/** One-way messages whose refusal could not be reported to anybody. */
export function neverAccepted(refused: Refused, after: number, limit: number): DeadLetterView[] {
  return refused.list(limit, after).map((one) => ({
    ID: one.id,
    Seq: null,
    Lane: '',
    Action: one.subject,
    Key: '',
    EventGUID: null,
    Reason: one.reason,
    At: isoOf(one.atMs),
    Parked: 0,
  }));
}

/**
 * `{After?, Limit?}`: `After` is a Seq, or behind all of those `id-<ID>` of a message that was
 * never accepted.
 * @throws TidemarkError INVALID_MESSAGE naming the field
 */
export function deadLetterPage(
  parts: DeadLetterOptions,
  { After = 0, Limit = limits.listRowsDefault }: JsonObject,
): DeadLetterPage {
  const limit = Number(Limit);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > limits.listRowsMax)
    throw new TidemarkError(
      'INVALID_MESSAGE',
      `Limit: expected an integer from 1 to ${limits.listRowsMax}`,
    );
  const [, isMessage, number] = /^(id-)?(\d{1,16})$/.exec(String(After)) ?? [];
  if (number === undefined)
    throw new TidemarkError('INVALID_MESSAGE', 'After: expected the Next of the page before');
  const dead = isMessage ? [] : deadLetters(parts, Number(number), limit + 1);
  const missing = limit + 1 - dead.length;
  const never =
    missing > 0 ? neverAccepted(parts.refused, isMessage ? Number(number) : 0, missing) : [];
  const found = [...dead, ...never];
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const next = last?.Seq === null ? `id-${last.ID}` : String(last?.Seq);
  return { DeadLetters: page, Next: found.length > limit ? next : null, Total: total(parts) };
}

function total(parts: DeadLetterOptions): number {
  const { deliveries, blocked, refused } = parts;
  return (
    refused.count() +
    lanes.reduce((sum, lane) => {
      const mark = deliveries[lane].mark();
      return mark ? sum + blocked.count(mark.database, lane, 'dead') : sum;
    }, 0)
  );
}
