/**
 * A hub of a simulated world: at most one unanswered write a key, repeated with its EventGUID until
 * it is answered, over a bus that loses, delays and doubles.
 */
import { type Lane, lanes, subjects } from '../../../contracts/subjects.ts';
import { hubId } from '../worker/fixture.ts';
import type { Answer, Ledger, Write } from './ledger.ts';
import type { Dice } from './dice.ts';
import type { SimClock } from './sim-clock.ts';
import type { Weather } from './sim-bus.ts';

/** A request of one lane: the subject, its body, and who is to be told of each answer. */
export type Message = {
  lane: Lane;
  subject: string;
  body: object;
  answered: (answers: Answer[]) => void;
};
/**
 * Hands a message to whatever worker runs; resolves with what it sent back, null when it sent
 * nothing.
 */
export type Serve = (message: Message) => Promise<Answer[] | null>;

const patienceMs = 2_000;

export class Hub {
  readonly #ledger: Ledger;
  readonly #dice: Dice;
  readonly #clock: SimClock;
  readonly #weather: () => Weather;
  readonly #serve: Serve;
  readonly keys: readonly { lane: Lane; key: string }[];
  /** Key -> the write that is not answered yet. */
  readonly #unanswered = new Map<string, Write>();
  #era = 0;

  constructor(parts: {
    ledger: Ledger;
    dice: Dice;
    clock: SimClock;
    weather: () => Weather;
    serve: Serve;
  }) {
    this.#ledger = parts.ledger;
    this.#dice = parts.dice;
    this.#clock = parts.clock;
    this.#weather = parts.weather;
    this.#serve = parts.serve;
    this.keys = lanes.flatMap((lane) =>
      Array.from({ length: 1 + parts.dice.below(3) }, (_, at) => ({
        lane,
        key: `${lane[0]}${at}`,
      })),
    );
  }

  get unanswered(): number {
    return this.#unanswered.size;
  }

  /** Begins writes on some keys that wait for nothing; returns them. */
  write(): Write[] {
    const idle = this.keys.filter(
      ({ key }) => !this.#unanswered.has(key) && this.#dice.chance(0.6),
    );
    const begun = idle.map(({ lane, key }) => this.#ledger.begin(lane, key));
    for (const one of begun) this.#unanswered.set(one.key, one);
    const isBatch = this.#dice.chance(0.3);
    for (const lane of lanes) {
      const writes = begun.filter((one) => one.lane === lane);
      if (isBatch && writes.length > 1) this.#sendBatch(lane, writes);
      else for (const one of writes) this.#send(one);
    }
    return begun;
  }

  /** Repeats an answered write, as a late duplicate does. */
  repeat(): void {
    const acked = this.#ledger.writes.filter((one) => one.isAcked);
    if (acked.length > 0) this.#carry(this.#message(this.#dice.pick(acked)), () => undefined);
  }

  /** Sends other content under the EventGUID of an answered write. */
  probe(): void {
    const acked = this.#ledger.writes.filter((one) => one.isAcked && !one.isRemoval);
    if (acked.length === 0) return;
    const write = this.#dice.pick(acked);
    const settings = JSON.parse(
      JSON.stringify(write.settings).replace(/"F\d+":1/, '"Other":2'),
    ) as object;
    this.#carry(
      {
        ...this.#message(write),
        body: { EventGUID: write.guid, Settings: settings },
        answered: ([answer]) => {
          if (answer) this.#ledger.probed(write, answer);
        },
      },
      () => undefined,
    );
  }

  /** What is on its way to a worker is lost, and no copy of it comes later. */
  forgetMessages(): void {
    this.#era += 1;
  }

  #message(write: Write): Message {
    const isPatient = this.#dice.chance(0.15);
    return {
      lane: write.lane,
      subject: subjects.action(hubId, write.lane, write.action),
      body: {
        EventGUID: write.guid,
        Settings: write.settings,
        ...(isPatient ? { Wait: 'applied', WaitMs: 1_000 } : {}),
      },
      answered: ([answer]) => {
        if (answer) this.#ledger.answered(write, answer);
      },
    };
  }

  #send(write: Write): void {
    let isOver = false;
    const again = (ms: number) =>
      this.#clock.timer(ms, () => {
        if (isOver || this.#unanswered.get(write.key) !== write) return;
        isOver = true;
        this.#send(write);
      });
    again(patienceMs + this.#dice.below(500));
    this.#carry(this.#message(write), ([answer]) => {
      if (answer?.Success) this.#done(write);
      else if (answer) again(Math.min(answer.RetryAfterMs ?? 100, 1_000));
    });
  }

  #sendBatch(lane: Lane, writes: Write[]): void {
    const body = {
      Items: writes.map((one) => ({
        Action: one.action,
        EventGUID: one.guid,
        Settings: one.settings,
      })),
    };
    const answered = (answers: Answer[]) =>
      writes.forEach((one, at) => {
        if (answers[at]) this.#ledger.answered(one, answers[at]);
      });
    this.#clock.timer(patienceMs, () => {
      for (const one of writes) if (this.#unanswered.get(one.key) === one) this.#send(one);
    });
    this.#carry({ lane, subject: subjects.batch(hubId, lane), body, answered }, (answers) => {
      writes.forEach((one, at) => {
        if (answers[at]?.Success) this.#done(one);
      });
    });
  }

  #done(write: Write): void {
    if (this.#unanswered.get(write.key) === write) this.#unanswered.delete(write.key);
  }

  /** There, perhaps twice, and perhaps the answer back. */
  #carry(message: Message, onAnswers: (answers: Answer[]) => void): void {
    const { lost, twice, late, delayMs } = this.#weather();
    const era = this.#era;
    const arrive = (ms: number, back: (answers: Answer[]) => void) =>
      this.#clock.timer(ms, () => {
        if (era !== this.#era) return;
        void this.#serve(message).then((answers) => {
          if (answers) back(answers);
        });
      });
    const delay = () =>
      this.#dice.chance(late) ? this.#dice.below(20_000) : this.#dice.real() * delayMs;
    if (this.#dice.chance(twice)) arrive(delay() + this.#dice.below(5_000), () => undefined);
    if (this.#dice.chance(lost)) return;
    const isAnswerLost = this.#dice.chance(lost);
    arrive(delay(), (answers) => {
      if (!isAnswerLost) this.#clock.timer(delay(), () => onAnswers(answers));
    });
  }
}
