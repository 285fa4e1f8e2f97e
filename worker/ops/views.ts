/** Operations, attempts and their standing, as reported to operators. */
import { messageOf, TidemarkError } from '../../contracts/errors.ts';
import { isoOf } from '../../runtime/clock.ts';
import { type Candidate, listOperations } from './files.ts';
import { shippedOperations } from './shipped.ts';
import { type Standing, standings, type State } from './standing.ts';
import type { AttemptRow, OperationTable } from './table.ts';

export type OperationsSummary = {
  Pending: number;
  Failed: number;
  Skipped: number;
  Drift: number;
  Problem: string | null;
};

export type OperationsView = {
  Folder: string;
  Operations: OperationView[];
  Shipped: {
    ID: string;
    Title: string;
    Args: Readonly<Record<string, string>>;
    LastResult: string | null;
    LastAt: string | null;
    LastNote: string | null;
    LastError: string | null;
  }[];
} & OperationsSummary;

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

/**
 * The status of all operations, read over any connection to a store. An unreadable folder is
 * reported as `Problem`.
 */
export function statusOf(folder: string, table: OperationTable, nowMs: number): OperationsView {
  const attempts = table.lastAttempts();
  const { files, problem } = filesOf(folder);
  const views = standings(files, table.markers(), attempts, nowMs).map(viewOf);
  const count = (isSo: (view: OperationView) => boolean) => views.filter(isSo).length;
  const shipped = [...shippedOperations].map(([id, { description, args }]) => {
    const last = attempts.find((one) => one.type === 'shipped' && one.operation === id);
    return {
      ID: id,
      Title: description,
      Args: args,
      LastResult: last?.result ?? null,
      LastAt: last ? isoOf(last.startedMs) : null,
      LastNote: last?.note ?? null,
      LastError: last?.error ?? null,
    };
  });
  return {
    Folder: folder,
    Operations: views,
    Shipped: shipped,
    Pending: count(({ State }) => State === 'pending'),
    Failed: count(({ State }) => State === 'failed'),
    Skipped: count(({ State }) => State === 'skipped'),
    Drift: count(({ IsDrifted, SameAs }) => IsDrifted || SameAs !== null),
    Problem: problem,
  };
}

/** @throws TidemarkError NOT_FOUND for an id that was never run */
export function historyOf(table: OperationTable, id: string | null): AttemptView[] {
  const attempts = table.attempts(id);
  if (id !== null && attempts.length === 0)
    throw new TidemarkError('NOT_FOUND', `operation ${id} was never run here`);
  return attempts.map(attemptView);
}

function filesOf(folder: string): { files: Candidate[]; problem: string | null } {
  try {
    return { files: listOperations(folder), problem: null };
  } catch (error) {
    return { files: [], problem: messageOf(error) };
  }
}
