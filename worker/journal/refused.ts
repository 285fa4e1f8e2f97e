/**
 * One-way messages that can never be accepted: kept with their reason, for nobody was there to be
 * told.
 */
import type { Connection } from '../state/connection.ts';

export type RefusedMessage = {
  id: number;
  subject: string;
  body: Buffer;
  reason: string;
  atMs: number;
};

export class Refused {
  readonly #db: Connection;

  constructor(db: Connection) {
    this.#db = db;
  }

  keep(subject: string, body: Uint8Array, reason: string, atMs: number): void {
    this.#db
      .prepare('insert into refused (subject, body, reason, at_ms) values (?, ?, ?, ?)')
      .run(subject, Buffer.from(body), reason, atMs);
  }

  /** Those above `after`, oldest first. */
  list(limit: number, after = 0): RefusedMessage[] {
    return this.#db
      .prepare<[number, number], RefusedMessage>(
        'select id, subject, body, reason, at_ms as atMs from refused where id > ? order by id limit ?',
      )
      .all(after, limit);
  }

  get(id: number): RefusedMessage | null {
    return (
      this.#db
        .prepare<[number], RefusedMessage>(
          'select id, subject, body, reason, at_ms as atMs from refused where id = ?',
        )
        .get(id) ?? null
    );
  }

  drop(id: number): boolean {
    return this.#db.prepare('delete from refused where id = ?').run(id).changes === 1;
  }

  count(): number {
    return Number(this.#db.prepare('select count(*) from refused').pluck().get());
  }
}
