/**
 * Keeps one-way messages that can never be accepted, with the reason, because no sender waits for
 * an answer. Bounded, because anybody may send some: first bodies are no longer kept, then messages
 * are only counted.
 */
import { createHash } from 'node:crypto';
import { limits } from '../../contracts/limits.ts';
import type { Connection } from '../state/connection.ts';

/** What a list shows of a message; `bytes` is the size of the body that is kept. */
export type RefusedFacts = {
  id: number;
  subject: string;
  bytes: number;
  reason: string;
  atMs: number;
};
export type RefusedMessage = RefusedFacts & { body: Buffer };

/** How a message was kept: whole, without its body, or only counted. */
export type Kept = 'whole' | 'facts' | 'counted';

/** The row of meta that counts messages of which nothing else is kept. */
const countedName = 'refused_counted';
const facts = 'id, subject, length(body) as bytes, reason, at_ms as atMs';

export class Refused {
  readonly #db: Connection;

  constructor(db: Connection) {
    this.#db = db;
  }

  /**
   * Keeps a message, in one synced transaction. Its body is left out when the bodies are at their
   * bound or `isRoom` is false; then the reason ends with its size and digest.
   */
  keep(subject: string, body: Uint8Array, reason: string, atMs: number, isRoom = true): Kept {
    const { rows, bytes } = this.#size();
    if (rows >= limits.refusedMax) {
      this.#countOne();
      return 'counted';
    }
    const isWhole = isRoom && bytes + body.length <= limits.refusedBytesMax;
    this.#db
      .prepare('insert into refused (subject, body, reason, at_ms) values (?, ?, ?, ?)')
      .run(
        subject.slice(0, limits.refusedTextCharsMax),
        isWhole ? Buffer.from(body) : Buffer.alloc(0),
        reason.slice(0, limits.refusedTextCharsMax) + (isWhole ? '' : notKept(body)),
        atMs,
      );
    return isWhole ? 'whole' : 'facts';
  }

  #size(): { rows: number; bytes: number } {
    return this.#db
      .prepare<[], { rows: number; bytes: number }>(
        'select count(*) as rows, coalesce(sum(length(body)), 0) as bytes from refused',
      )
      .get() as { rows: number; bytes: number };
  }

  #countOne(): void {
    this.#db
      .prepare(
        "insert into meta values (?, '1') on conflict (name) do update set value = value + 1",
      )
      .run(countedName);
  }

  /** Messages with an id above `after`, oldest first. */
  list(limit: number, after = 0): RefusedFacts[] {
    return this.#db
      .prepare<[number, number], RefusedFacts>(
        `select ${facts} from refused where id > ? order by id limit ?`,
      )
      .all(after, limit);
  }

  get(id: number): RefusedMessage | null {
    return (
      this.#db
        .prepare<[number], RefusedMessage>(`select ${facts}, body from refused where id = ?`)
        .get(id) ?? null
    );
  }

  drop(id: number): boolean {
    return this.#db.prepare('delete from refused where id = ?').run(id).changes === 1;
  }

  /** All messages that nobody dropped, those that are only counted included. */
  count(): number {
    return Number(this.#db.prepare('select count(*) from refused').pluck().get()) + this.#counted();
  }

  #counted(): number {
    const value = this.#db
      .prepare('select value from meta where name = ?')
      .pluck()
      .get(countedName);
    return Number(value ?? 0);
  }
}

function notKept(body: Uint8Array): string {
  const digest = createHash('sha256').update(body).digest('hex');
  return `; of its body only this is kept: ${body.length} bytes, sha256 ${digest}`;
}
