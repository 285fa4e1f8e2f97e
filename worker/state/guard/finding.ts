/**
 * Findings: what a start or a merge found out about the local state. They are kept in table fault,
 * logged, and reported on the bus.
 */
import { systemClock } from '../../../runtime/clock.ts';
import type { Lane } from '../../../contracts/subjects.ts';
import type { Connection } from '../connection.ts';

/**
 * `What` is a sentence for an operator; `Detail` holds its facts. `Lost` are the ranges of Seq that
 * were lost.
 */
export type Finding = {
  Class: string;
  What: string;
  Detail: { Lost?: SeqGap[]; [name: string]: unknown };
};

/** With `Lane`, only the Seqs of that lane in the range are meant. */
export type SeqGap = { From: number; To: number; Lane?: Lane };

export function recordFindings(db: Connection, findings: readonly Finding[]): void {
  const insert = db.prepare('insert into fault (at_ms, class, what, detail) values (?, ?, ?, ?)');
  db.transaction(() => {
    for (const { Class, What, Detail } of findings)
      insert.run(systemClock.nowMs(), Class, What, JSON.stringify(Detail));
  }).immediate();
}

/** The first `most` ranges as text: `5-9, 12`. */
export function rangesText(ranges: readonly SeqGap[], most: number): string {
  const shown = ranges
    .slice(0, most)
    .map(({ From, To }) => (From === To ? String(From) : `${From}-${To}`));
  return ranges.length > most
    ? `${shown.join(', ')} and ${ranges.length - most} more`
    : shown.join(', ');
}
