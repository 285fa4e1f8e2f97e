/** The verbs on dead letters: list them, show one, try it again, give it up. */
import type { DeadLetterView } from '../../contracts/console-answers.ts';
import { TidemarkError } from '../../contracts/errors.ts';
import type { JsonObject } from '../../contracts/body/json-value.ts';
import { limits } from '../../contracts/limits.ts';
import { type Lane, lanes } from '../../contracts/subjects.ts';
import { type Clock, isoOf } from '../../runtime/clock.ts';
import {
  type DeadLetterOptions,
  deadLetterPage,
  deadLetters,
  neverAccepted,
} from './dead-letters.ts';

export type DeadLetterVerbOptions = DeadLetterOptions & { clock: Clock; wake: () => void };

export class DeadLetterVerbs {
  readonly #parts: DeadLetterVerbOptions;

  constructor(parts: DeadLetterVerbOptions) {
    this.#parts = parts;
  }

  /**
   * `{Verb: 'list'|'show'|'retry'|'drop', Seq? | ID?}`, a list with `{After?, Limit?}` in pages; or
   * in short `{retry: Seq}`, `{drop: Seq}`.
   */
  run(given: JsonObject): unknown {
    const short = (['show', 'retry', 'drop'] as const).find(
      (one) => typeof given[one] === 'number',
    );
    const body = short ? { Verb: short, Seq: given[short] as number } : given;
    const verb = body['Verb'] ?? 'list';
    if (verb === 'list' && (body['After'] !== undefined || body['Limit'] !== undefined))
      return deadLetterPage(this.#parts, body);
    if (verb === 'list') return { DeadLetters: this.#listDead() };
    if (verb === 'show' || verb === 'retry' || verb === 'drop') return this.#oneDead(verb, body);
    throw new TidemarkError('INVALID_MESSAGE', 'Verb: expected list, show, retry or drop');
  }

  #oneDead(verb: 'show' | 'retry' | 'drop', body: JsonObject): unknown {
    const { Seq, ID } = body;
    if (typeof ID === 'number' && verb !== 'retry') return this.#refusedMessage(verb, ID);
    if (typeof Seq !== 'number')
      throw new TidemarkError('INVALID_MESSAGE', 'Seq: expected the Seq of a dead letter');
    const lane = lanes.find((one) => this.#find(one, Seq) !== null);
    const database = lane ? this.#parts.deliveries[lane].mark()?.database : undefined;
    if (!lane || database === undefined)
      throw new TidemarkError('NOT_FOUND', `Seq: there is no dead letter ${Seq}`);
    if (verb === 'show') {
      const view = this.#listDead().find((one) => one.Seq === Seq);
      return { DeadLetter: { ...view, Settings: this.#parts.journal.read(Seq)?.settings ?? null } };
    }
    const nowMs = this.#parts.clock.nowMs();
    const isDone =
      verb === 'retry'
        ? this.#parts.blocked.retry(database, Seq, nowMs)
        : this.#parts.blocked.drop(database, Seq, nowMs);
    this.#parts.wake();
    return { Success: isDone };
  }

  #refusedMessage(verb: 'show' | 'drop', id: number): unknown {
    const message = this.#parts.refused.get(id);
    if (!message) throw new TidemarkError('NOT_FOUND', `ID: there is no refused message ${id}`);
    if (verb === 'show')
      return {
        DeadLetter: {
          ID: id,
          Subject: message.subject,
          Reason: message.reason,
          At: isoOf(message.atMs),
          Body: message.body.toString('utf8'),
        },
      };
    return { Success: this.#parts.refused.drop(id) };
  }

  #find(lane: Lane, seq: number) {
    const mark = this.#parts.deliveries[lane].mark();
    const blocked = mark ? this.#parts.blocked.get(mark.database, seq) : null;
    return blocked?.state === 'dead' && lanes[blocked.lane] === lane ? blocked : null;
  }

  #listDead(): DeadLetterView[] {
    return [
      ...deadLetters(this.#parts, 0, limits.listRowsDefault),
      ...neverAccepted(this.#parts.refused, 0, limits.listRowsDefault),
    ];
  }
}
