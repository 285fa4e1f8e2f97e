/**
 * How each operation stands: files against markers and attempts. Pure: what is pending, late,
 * renamed, edited, skipped, failed.
 */
import type { Candidate } from './files.ts';
import type { AttemptRow, MarkerRow } from './table.ts';

export type State = 'pending' | 'failed' | 'skipped' | 'applied';

/** One operation of the operator's. */
export type Standing = {
  id: string;
  state: State;
  /** Null when the file of an applied one is gone. */
  file: Candidate | null;
  marker: MarkerRow | null;
  last: AttemptRow | null;
  /** Its file is another than the one that was applied. */
  isDrifted: boolean;
  /** Not applied, but the file of an applied one has the same content: its id. */
  sameAs: string | null;
  /** Came after a later one was applied; the later one's id. */
  lateBehind: string | null;
};

/** In the order of their names, which is the order they run in. */
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
      // One that was there before and did not go through is not late, only not done.
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

/** Whether `ops skip` holds an operation back at this time. */
export function isSkipInForce(marker: MarkerRow | null, nowMs: number): boolean {
  return marker?.state === 'skipped' && (marker.untilMs ?? 0) > nowMs;
}
