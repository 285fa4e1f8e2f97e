/**
 * Looks of a fronted server at its databases: one of thousands of tables takes minutes, more than
 * any request waits, so that those who ask again join it.
 */
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/json-value.ts';
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
   * The answer of the look that is under way, else of a new one. One that everybody gave up waiting
   * for is kept a while for who asks next.
   * @param mayRepeat whether an answer that was told already will do, once: the step of a bootstrap
   * that follows on another wants nothing newer
   * @throws TidemarkError UNAVAILABLE while the server is still looking, else what asking throws
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
        'the server is still looking at the tables of its database; ask again',
        { retryAfterMs: limits.unavailableRetryMs },
      );
    });
  }
}
