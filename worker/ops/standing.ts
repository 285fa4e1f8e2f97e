/**
 * How each operation stands: files against markers and attempts. Pure: what is pending, late,
 * renamed, edited, skipped, failed.
 */
import { isoOf } from '../../runtime/clock.ts';
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
    .map((marker): Standing => ({
      id: marker.id,
      file: null,
      marker,
      last: lastById.get(marker.id) ?? null,
      state: 'applied',
      isDrifted: false,
      sameAs: null,
      lateBehind: null,
    }));
  return [...ofFiles, ...gone].sort((a, b) => (a.id < b.id ? -1 : 1));
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

export type OperationView = {
  ID: string;
  State: State;
  Title: string | null;
  IsDrifted: boolean;
  SameAs: string | null;
  LateBehind: string | null;
  IsFileGone: boolean;
  By: string | null;
  Host: string | null;
  At: string | null;
  DurationMs: number | null;
  Changes: number | null;
  Note: string | null;
  Until: string | null;
  LastResult: string | null;
  LastAt: string | null;
  LastError: string | null;
};

/** A standing as operators see it. */
export function viewOf({
  id,
  state,
  file,
  marker,
  last,
  isDrifted,
  sameAs,
  lateBehind,
}: Standing): OperationView {
  return {
    ID: id,
    State: state,
    Title: marker?.title ?? null,
    IsDrifted: isDrifted,
    SameAs: sameAs,
    LateBehind: lateBehind,
    IsFileGone: file === null,
    By: marker?.by ?? null,
    Host: marker?.host ?? null,
    At: marker ? isoOf(marker.endedMs) : null,
    DurationMs: marker ? marker.endedMs - marker.startedMs : null,
    Changes: marker?.changes ?? null,
    Note: marker?.note ?? last?.note ?? null,
    Until: marker?.untilMs ? isoOf(marker.untilMs) : null,
    LastResult: last?.result ?? null,
    LastAt: last ? isoOf(last.startedMs) : null,
    LastError: last?.error ?? null,
  };
}

export type AttemptView = {
  Type: string;
  ID: string;
  SHA256: string;
  Result: string;
  By: string;
  Host: string;
  Pid: number;
  Version: string;
  StartedAt: string;
  EndedAt: string | null;
  Changes: number;
  Note: string | null;
  Error: string | null;
};

/** One attempt as operators see it. */
export function attemptView({
  type,
  operation,
  sha256,
  result,
  by,
  host,
  pid,
  version,
  startedMs,
  endedMs,
  changes,
  note,
  error,
}: AttemptRow): AttemptView {
  return {
    Type: type,
    ID: operation,
    SHA256: sha256,
    Result: result,
    By: by,
    Host: host,
    Pid: pid,
    Version: version,
    StartedAt: isoOf(startedMs),
    EndedAt: endedMs === null ? null : isoOf(endedMs),
    Changes: changes,
    Note: note,
    Error: error,
  };
}
