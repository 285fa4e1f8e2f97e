/**
 * Answers reads: backend rows with pending writes put over them, or the journal alone while the
 * backend is away. `Source` in every answer says which.
 */
import PQueue from 'p-queue';
import {
  type ListAction,
  encodeNext,
  eventOrder,
  eventsQuery,
  keysQuery,
  listQuery,
} from '../../bridges/read-query.ts';
import { compareRows, type KnownRow, matches, overlay } from '../../bridges/read-merge.ts';
import { defaultsOf, present } from '../../bridges/project.ts';
import type { ReadEnvelope } from '../../contracts/envelope.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { RowQuery } from '../../contracts/mutation.ts';
import type { ReadReply, ReadSource } from '../../contracts/reply.ts';
import { type TableName, tableOf } from '../../contracts/schema.ts';
import { nextTurn } from '../../runtime/clock.ts';
import { inSteps } from '../../runtime/in-steps.ts';
import type { Projected } from '../journal/row-search.ts';
import { reading } from '../journal/trace.ts';
import type { LaneView } from './lane-view.ts';

/** Rows in order, and where they came from. */
type Answer = { rows: KnownRow[]; source: ReadSource; isPartial?: boolean };

export class Reader {
  readonly #hubId: string;
  readonly #view: (lane: ReadEnvelope['lane']) => LaneView;
  readonly #now: () => string;
  readonly #queue = new PQueue({ concurrency: limits.readsMax });

  constructor(parts: {
    hubId: string;
    view: (lane: ReadEnvelope['lane']) => LaneView;
    now: () => string;
  }) {
    this.#hubId = parts.hubId;
    this.#view = parts.view;
    this.#now = parts.now;
  }

  /**
   * @param trace context of the request
   * @throws TidemarkError INVALID_MESSAGE for an invalid filter, UNAVAILABLE when neither backend
   * nor journal can answer
   */
  read(envelope: ReadEnvelope, trace: string | null = null): Promise<ReadReply> {
    if (this.#queue.size >= limits.readsWaitingMax) {
      throw new TidemarkError(
        'UNAVAILABLE',
        `${this.#queue.size} reads are waiting, at most ${limits.readsWaitingMax}`,
        { retryAfterMs: limits.unavailableRetryMs },
      );
    }
    return this.#queue.add(() => reading(envelope.action, trace, () => this.#answer(envelope)));
  }

  #answer(envelope: ReadEnvelope): Promise<ReadReply> {
    const { settings } = envelope;
    switch (envelope.action) {
      case 'QP_GetWorkItemByHash':
        return this.#workItem(envelope, String(settings['WorkItemHash']));
      case 'QP_GetEvents':
        return this.#events(
          envelope,
          String(settings['WorkItemHash']),
          Number(settings['Limit'] || limits.listRowsDefault),
        );
      case 'MS_GetManifest':
        return this.#manifest(envelope, String(settings['RunHash']));
      case 'QP_ListWorkItems':
        return this.#list(envelope, 'QP_ListWorkItems', 'WorkItems');
      case 'MS_ListManifests':
        return this.#list(envelope, 'MS_ListManifests', 'Manifests');
    }
  }

  #reply(source: ReadSource, payload: Record<string, JsonValue | undefined>): ReadReply {
    return { Available: true, Success: true, ...payload, Source: source, AsOf: this.#now() };
  }

  async #workItem(envelope: ReadEnvelope, hash: string): Promise<ReadReply> {
    const { row, source, isPartial } = await this.#one(envelope, 'UVQueueWorkItem', hash);
    return this.#reply(source, {
      WorkItem: row && present(tableOf('UVQueueWorkItem'), row),
      ...(isPartial ? { Partial: true } : {}),
    });
  }

  async #manifest(envelope: ReadEnvelope, hash: string): Promise<ReadReply> {
    const { row, source } = await this.#one(envelope, 'UVManifest', hash);
    if (!row) return this.#reply(source, { Manifest: null, Row: null });
    const { ManifestJSON, ...columns } = present(tableOf('UVManifest'), row);
    return this.#reply(source, { Manifest: ManifestJSON ?? null, Row: columns });
  }

  /** One row by its hash; null when it does not exist or is deleted. */
  async #one(
    envelope: ReadEnvelope,
    table: TableName,
    hash: string,
  ): Promise<{ row: KnownRow | null; source: ReadSource; isPartial: boolean }> {
    const view = this.#view(envelope.lane);
    await view.catchUp();
    const known = view.projection.row(table, hash);
    const pending = known && view.isPending(known) ? known : null;
    const base = await view.fromBackend(keysQuery(table, this.#hubId, [hash]));
    if (base) {
      const merged = pending
        ? overlay(base[0] ?? withDefaults(table, {}), view.whole(table, pending))
        : (base[0] ?? null);
      return {
        row: merged && merged['Deleted'] === 1 ? null : merged,
        source: pending ? 'merged' : 'beacon',
        isPartial: false,
      };
    }
    if (!known) view.assertComplete(`${table} ${hash}`);
    const row =
      known && known.row['Deleted'] !== 1 ? withDefaults(table, view.whole(table, known)) : null;
    // The journal may know only part of the row, if earlier writes were stripped.
    return { row, source: 'journal', isPartial: !view.isComplete() };
  }

  async #events(envelope: ReadEnvelope, hash: string, limit: number): Promise<ReadReply> {
    const view = this.#view(envelope.lane);
    const table = 'UVQueueWorkItemEvent';
    await view.catchUp();
    const known = view.projection.rowsOf(table, hash);
    const base = await view.fromBackend(eventsQuery(this.#hubId, hash, limit));
    const pending = base ? known.filter((one) => view.isPending(one)) : known;
    if (!base && known.length === 0) view.assertComplete(`the events of ${hash}`);
    const rows = new Map((base ?? []).map((row) => [String(row['EventGUID']), row]));
    for (const one of pending) {
      const guid = String(one.row['EventGUID']);
      if (!rows.has(guid)) rows.set(guid, withDefaults(table, one.row));
    }
    const ordered = [...rows.values()].sort(compareRows(eventOrder)).slice(0, limit);
    const source: ReadSource = !base ? 'journal' : pending.length > 0 ? 'merged' : 'beacon';
    const isPartial = !base && !view.isComplete();
    return this.#reply(source, {
      Events: ordered.map((row) => present(tableOf(table), row)),
      ...(isPartial ? { Partial: true } : {}),
    });
  }

  async #list(
    envelope: ReadEnvelope,
    action: ListAction,
    payload: 'WorkItems' | 'Manifests',
  ): Promise<ReadReply> {
    const query = listQuery(action, this.#hubId, envelope.settings);
    const { rows, source, isPartial } = await this.#listRows(envelope, query);
    const table = tableOf(query.Table as TableName);
    const isFull = (envelope.settings['Filter'] as JsonObject | undefined)?.['Full'] === true;
    const shown = rows.map((row) => {
      const { ManifestJSON, ...columns } = present(table, row);
      return isFull && ManifestJSON !== undefined ? { ...columns, ManifestJSON } : columns;
    });
    const last = rows.at(-1);
    const next = last && rows.length === query.Limit ? { Next: encodeNext(query.Order, last) } : {};
    return this.#reply(source, {
      [payload]: shown,
      ...next,
      ...(isPartial ? { Partial: true } : {}),
    });
  }

  async #listRows(envelope: ReadEnvelope, query: RowQuery): Promise<Answer> {
    const view = this.#view(envelope.lane);
    await view.catchUp();
    const first = await view.fromBackend(query);
    return first ? this.#mergedList(view, query, first) : this.#journalList(view, query);
  }

  /** Answers from the journal alone. Columns it does not know have their defaults. */
  async #journalList(view: LaneView, query: RowQuery): Promise<Answer> {
    const table = query.Table as TableName;
    const { matching, undecidable } = await view.projection.search.find(query, 0);
    const inOrder = compareRows(query.Order);
    const candidate = (known: Projected) => ({ known, row: withDefaults(table, known.row) });
    const known = await inSteps(matching, limits.listStepRows, candidate);
    const partly = await inSteps(undecidable, limits.listStepRows, candidate);
    const chosen = [...known, ...partly.filter(({ row }) => matches(query, row))]
      .toSorted((a, b) => inOrder(a.row, b.row))
      .slice(0, query.Limit);
    // Each may have a manifest of megabytes to be read.
    const step = query.IsFull ? 1 : limits.listStepRows;
    const rows = await inSteps(chosen, step, ({ known }) =>
      withDefaults(table, view.whole(table, known, query.IsFull === true)),
    );
    return { rows, source: 'journal', isPartial: !view.isComplete() };
  }

  /**
   * Merges pending rows into backend pages: rows that no longer match are left out, rows that match
   * now are added. More pages are fetched until the answer is full.
   */
  async #mergedList(view: LaneView, query: RowQuery, first: KnownRow[]): Promise<Answer> {
    const table = query.Table as TableName;
    const floor = view.pendingFloor();
    const { matching, undecidable } = await view.projection.search.find(query, floor);
    const found = await inSteps([...matching, ...undecidable], limits.listStepRows, (one) =>
      view.isPending(one) ? [one] : [],
    );
    const candidates = found.flat();
    const rows = new Map<string, KnownRow>();
    const put = (row: KnownRow) => {
      if (matches(query, row)) rows.set(hashOf(row), row);
    };
    let isMerged = await this.#putPending(view, query, candidates, put);
    const inOrder = compareRows(query.Order);
    let page: KnownRow[] | null = first;
    while (page) {
      for (const [at, row] of page.entries()) {
        if (at % limits.listStepRows === limits.listStepRows - 1) await nextTurn();
        const known = view.projection.row(table, hashOf(row));
        const pending = known && view.isPending(known) ? known : null;
        if (pending) isMerged = true;
        put(pending ? overlay(row, view.whole(table, pending, query.IsFull === true)) : row);
      }
      const last: KnownRow | undefined = page.at(-1);
      if (!last || page.length < query.Limit) break;
      // Pending rows after the page's last row do not count: the backend may have rows before them.
      const settled = [...rows.values()].filter((row) => inOrder(row, last) <= 0);
      if (settled.length >= query.Limit) break;
      page = await view.fromBackend({
        ...query,
        After: query.Order.map(({ Column }) => last[Column] ?? null),
      });
    }
    return {
      rows: [...rows.values()].sort(inOrder).slice(0, query.Limit),
      source: isMerged ? 'merged' : 'beacon',
    };
  }

  /** Puts each pending row that may be in the answer over its backend row. */
  async #putPending(
    view: LaneView,
    query: RowQuery,
    candidates: { key: string; row: KnownRow; seq: number }[],
    put: (row: KnownRow) => void,
  ): Promise<boolean> {
    if (candidates.length === 0) return false;
    const table = query.Table as TableName;
    const base = await view.fromBackend(
      keysQuery(
        table,
        this.#hubId,
        candidates.map((one) => one.key),
      ),
    );
    const bases = new Map((base ?? []).map((row) => [hashOf(row), row]));
    for (const one of candidates)
      put(
        overlay(
          bases.get(one.key) ?? withDefaults(table, {}),
          view.whole(table, one, query.IsFull === true),
        ),
      );
    return true;
  }
}

/** The hash by which a hub names the row. */
function hashOf(row: KnownRow): string {
  return String(row['WorkItemHash'] ?? row['Hash']);
}

function withDefaults(table: TableName, row: KnownRow): KnownRow {
  return { ...defaultsOf(tableOf(table)), ...row };
}
