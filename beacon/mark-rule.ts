/** The rule of the mark row: which mutations of a repeated batch are skipped, what they are answered again, and what the row says afterwards. */
import type { StoredMark } from '../contracts/capability.ts';
import { isJsonObject } from '../contracts/json-value.ts';
import { type MutationResult, outcomes, type Row, type RowMutation } from '../contracts/mutation.ts';
import type { ApplyBatch } from './engine.ts';

/** An outcome that settled as refused, kept until the worker surely has heard it. */
export type RefusedEntry = { Table: string; Key: Row; Seq: number; Outcome: MutationResult['Outcome']; Reason: string };

/** The mark row of a hub and lane. */
export type MarkRow = StoredMark & { Refused: RefusedEntry[] };

/** What is left to do of a batch: `results` has holes where `todo` points. */
export type BatchPlan = { results: (MutationResult | undefined)[]; todo: number[]; repeated: RefusedEntry[] };

/** The text of the column Refused; text that cannot be read counts as empty. */
export function decodeRefused(text: unknown): RefusedEntry[] {
  if (typeof text !== 'string' || text === '' || text === '[]') return [];
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return [];
  }
  return Array.isArray(list) ? list.filter(isRefusedEntry) : [];
}

function isRefusedEntry(entry: unknown): entry is RefusedEntry {
  return isJsonObject(entry) && typeof entry['Table'] === 'string' && isJsonObject(entry['Key']) && typeof entry['Seq'] === 'number'
    && outcomes.some((outcome) => outcome === entry['Outcome']) && typeof entry['Reason'] === 'string';
}

function identityOf(table: string, key: Row): string {
  return `${table} ${JSON.stringify(Object.entries(key).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`;
}

/** The mark that counts for this batch: none when it is of another epoch, or the batch lies below it on purpose. */
function markFor(batch: ApplyBatch, mark: MarkRow | null): MarkRow | null {
  return mark !== null && !batch.isBelowMark && mark.Epoch === batch.epoch ? mark : null;
}

/** Splits a batch into what the mark already answers and what is to be done. */
export function planBatch(batch: ApplyBatch, stored: MarkRow | null): BatchPlan {
  const mark = markFor(batch, stored);
  const plan: BatchPlan = { results: Array.from({ length: batch.mutations.length }), todo: [], repeated: [] };
  const refused = new Map<string, RefusedEntry[]>();
  for (const entry of mark?.Refused ?? []) {
    const identity = identityOf(entry.Table, entry.Key);
    refused.set(identity, [...(refused.get(identity) ?? []), entry]);
  }
  const before = new Map<string, number>();
  for (const [at, mutation] of batch.mutations.entries()) {
    if (mark === null || mutation.Seq > mark.Seq) plan.todo.push(at);
    else plan.results[at] = refused.size === 0 ? { Outcome: 'already-present' } : answerAgain(mutation, refused, before, plan);
  }
  return plan;
}

/**
 * A repeat may be folded otherwise: a mutation stands for the entries of its key behind the one before it, up to its Seq.
 * It is refused again when what it stands for, or is a part of, was refused.
 */
function answerAgain(mutation: RowMutation, refused: Map<string, RefusedEntry[]>, before: Map<string, number>, plan: BatchPlan): MutationResult {
  const identity = identityOf(mutation.Table, mutation.Key);
  const entries = refused.get(identity);
  if (!entries) return { Outcome: 'already-present' };
  const from = before.get(identity) ?? -1;
  before.set(identity, mutation.Seq);
  const match = entries.find((entry) => entry.Seq > from);
  if (!match) return { Outcome: 'already-present' };
  plan.repeated.push(match);
  return { Outcome: match.Outcome, Reason: match.Reason };
}

/** The mark row after the batch; the same object as `stored` when nothing is to be written. */
export function markAfter(batch: ApplyBatch, stored: MarkRow | null, plan: BatchPlan, results: readonly MutationResult[]): MarkRow | null {
  if (batch.isBelowMark) return stored;
  const mark = markFor(batch, stored);
  const news = plan.todo.flatMap((at) => refusedEntry(batch.mutations[at], results[at]));
  if (mark !== null && batch.throughSeq <= mark.Seq && news.length === 0) return mark;
  const smallestSeq = batch.mutations.reduce((smallest, mutation) => Math.min(smallest, mutation.Seq), Infinity);
  const isKept = (entry: RefusedEntry) => smallestSeq === Infinity || entry.Seq >= smallestSeq || plan.repeated.includes(entry);
  return {
    Epoch: batch.epoch,
    Seq: Math.max(mark?.Seq ?? 0, batch.throughSeq),
    UpdatedAt: batch.now,
    Refused: [...(mark?.Refused.filter(isKept) ?? []), ...news],
  };
}

function refusedEntry(mutation: RowMutation | undefined, result: MutationResult | undefined): RefusedEntry[] {
  if (!mutation || !result || (result.Outcome !== 'conflict' && result.Outcome !== 'rejected')) return [];
  return [{ Table: mutation.Table, Key: mutation.Key, Seq: mutation.Seq, Outcome: result.Outcome, Reason: result.Reason ?? '' }];
}
