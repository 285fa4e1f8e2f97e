/** What contradicts itself in a store after a power cut. */
import { lanes } from '../../../contracts/subjects.ts';
import type { openStore } from '../../../worker/state/open/open-store.ts';

/** What contradicts itself in a store: pages, counts (I10), marks (I5). */
export function inconsistencies(db: ReturnType<typeof openStore>['db']): string[] {
  const found: string[] = [];
  const check = db.pragma('integrity_check', { simple: true });
  if (check !== 'ok') found.push(`integrity check: ${String(check)}`);
  const number = (sql: string, ...values: number[]) =>
    Number(
      db
        .prepare(sql)
        .pluck()
        .get(...values),
    );
  lanes.forEach((lane, index) => {
    const accepted = number('select accepted from lane where lane = ?', index);
    const forgotten = number('select forgotten from lane where lane = ?', index);
    const there = number('select count(*) from entry where lane = ?', index);
    if (accepted - forgotten !== there)
      found.push(`${lane} counts ${accepted} accepted, ${there} are there (I10)`);
    const marks = db
      .prepare<[number], { database: number; seq: number; settled: number }>(
        'select database, seq, applied + present + skipped + dropped as settled from mark where lane = ?',
      )
      .all(index);
    for (const { database, seq, settled } of marks) {
      const held = number(
        'select count(*) from held where database = ? and lane = ?',
        database,
        index,
      );
      const above = number(
        'select count(*) from entry where lane = ? and seq > ? and body is not null',
        index,
        seq,
      );
      if (settled + held + above !== accepted)
        found.push(
          `${lane}: ${accepted} accepted, but ${settled} settled, ${held} held, ${above} above the mark (I10)`,
        );
      if (seq > number('select head from lane where lane = ?', index))
        found.push(`${lane}: mark ${seq} is above the last entry (I5)`);
    }
  });
  return found;
}
