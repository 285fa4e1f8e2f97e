/**
 * Derives the standing of each operation from files, markers and attempts: pending, failed, skipped
 * or applied, and late, renamed or edited. Pure.
 */
import type { Candidate } from './files.ts';
import type { AttemptRow, MarkerRow } from './table.ts';

export type State = 'pending' | 'failed' | 'skipped' | 'applied';

/** One of the operator's operations. */
export type Standing = {
  id: string;
  state: State;
  /** Null when an applied operation's file is gone. */
  file: Candidate | null;
  marker: MarkerRow | null;
  last: AttemptRow | null;
  /** Its file differs from the one that was applied. */
  isDrifted: boolean;
  /**
   * The id of an applied operation with the same content whose file is gone, while this one is not
   * applied: probably a rename.
   */
  sameAs: string | null;
  /** The id of a later operation that was applied before this one appeared. */
  lateBehind: string | null;
};

/** Sorted by id, which is the order they run in. */
export function standings(
  files: readonly Candidate[],
  markers: readonly MarkerRow[],
  attempts: readonly AttemptRow[],
  nowMs: number,
): Standing[] {
  const own = markers.filter((marker) => marker.type === 'operator');
  const byId = new Map(own.map((marker) => [marker.id, marker]));
  const lastById = new Map(
    attempts
      .filter((attempt) => attempt.type === 'operator')
      .map((attempt) => [attempt.operation, attempt]),
  );
  const applied = own.filter((marker) => marker.state === 'applied');
  const newest =
    applied
      .map((marker) => marker.id)
      .sort()
      .at(-1) ?? null;
  const present = new Set(files.map((file) => file.id));
  const ofFiles = files.map((file): Standing => {
    const marker = byId.get(file.id) ?? null;
    const last = lastById.get(file.id) ?? null;
    const state = stateOf(marker, last, nowMs);
    const isOpen = state !== 'applied';
    return {
      id: file.id,
      file,
      marker,
      last,
      state,
      isDrifted: state === 'applied' && marker?.sha256 !== file.sha256,
      sameAs: isOpen
        ? (applied.find((one) => one.sha256 === file.sha256 && !present.has(one.id))?.id ?? null)
        : null,
      // One that was tried before is not late, only not finished.
      lateBehind:
        isOpen && last === null && marker === null && newest !== null && newest > file.id
          ? newest
          : null,
    };
  });
  const gone = applied
    .filter((marker) => !present.has(marker.id))
    .map((marker) => withoutFile(marker, lastById.get(marker.id) ?? null));
  return [...ofFiles, ...gone].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function withoutFile(marker: MarkerRow, last: AttemptRow | null): Standing {
  return {
    id: marker.id,
    file: null,
    marker,
    last,
    state: 'applied',
    isDrifted: false,
    sameAs: null,
    lateBehind: null,
  };
}

function stateOf(marker: MarkerRow | null, last: AttemptRow | null, nowMs: number): State {
  if (marker?.state === 'applied') return 'applied';
  if (isSkipInForce(marker, nowMs)) return 'skipped';
  if (last?.result === 'failed') return 'failed';
  return last?.result === 'skipped' ? 'skipped' : 'pending';
}

/** Whether `ops skip` currently skips the operation. */
export function isSkipInForce(marker: MarkerRow | null, nowMs: number): boolean {
  return marker?.state === 'skipped' && (marker.untilMs ?? 0) > nowMs;
}
