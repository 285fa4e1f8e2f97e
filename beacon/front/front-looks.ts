/**
 * Introspections of databases by a fronted server. With thousands of tables one takes minutes,
 * longer than any request waits, so later requests join the running one.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { bounds } from '../bounds.ts';

type Look = { answer: Promise<JsonObject>; isOver: boolean; isReported: boolean };

export class FrontLooks {
  readonly #ask: (connection: number) => Promise<JsonObject>;
  readonly #clock: Clock;
  readonly #looks = new Map<number, Look>();

  constructor(ask: (connection: number) => Promise<JsonObject>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /**
   * Returns the answer of the running introspection, or starts one. An answer that nobody waited
   * for is kept for a while for the next request.
   * @param mayRepeat accept an answer already given to another request, once: consecutive steps of
   * a bootstrap need nothing newer
   * @throws TidemarkError UNAVAILABLE while the server is still working, otherwise what asking
   * throws
   */
  async look(connection: number, mayRepeat: boolean): Promise<JsonObject> {
    const known = this.#looks.get(connection);
    const look =
      known && (mayRepeat || !known.isOver || !known.isReported) ? known : this.#start(connection);
    const answer = await this.#inTime(look.answer);
    if (mayRepeat) this.#forget(connection, look);
    look.isReported = true;
    return answer;
  }

  #start(connection: number): Look {
    const look: Look = { answer: this.#ask(connection), isOver: false, isReported: false };
    this.#looks.set(connection, look);
    look.answer.then(
      () => {
        look.isOver = true;
        this.#clock.timer(bounds.lookKeptMs, () => this.#forget(connection, look));
      },
      () => this.#forget(connection, look),
    );
    return look;
  }

  #forget(connection: number, look: Look): void {
    if (this.#looks.get(connection) === look) this.#looks.delete(connection);
  }

  #inTime(answer: Promise<JsonObject>): Promise<JsonObject> {
    return withDeadline(answer, this.#clock, bounds.migrationMs, () => {
      throw new TidemarkError(
        'UNAVAILABLE',
        'the server is still reading the tables of its database; retry later',
        { retryAfterMs: limits.unavailableRetryMs },
      );
    });
  }
}
