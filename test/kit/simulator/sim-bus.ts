/**
 * The bus of a simulated worker process: real bytes of the codec, with delays, losses, repeats and
 * answers that come too late. Stands where `Bus` does.
 */
import { NoRespondersError } from 'nats';
import type { ApplySettings } from '../../../contracts/capability.ts';
import type { Presence } from '../../../contracts/presence.ts';
import { decodeBody, packBody } from '../../../contracts/body/codec.ts';
import { TidemarkError } from '../../../contracts/errors.ts';
import { limits } from '../../../contracts/limits.ts';
import { actionIn, type Lane, subjects } from '../../../contracts/subjects.ts';
import type { Bus } from '../../../runtime/bus/bus.ts';
import type { Packed, RequestOptions } from '../../../runtime/bus/requester.ts';
import type { SimBeacon } from './beacon.ts';
import type { Dice } from './dice.ts';
import type { SimClock } from './sim-clock.ts';

/** How bad the bus and those behind it are; probabilities, and the usual delay one way. */
export type Weather = { lost: number; late: number; twice: number; liar: number; delayMs: number };

export const fair: Weather = { lost: 0, late: 0, twice: 0, liar: 0, delayMs: 1 };

export class SimBus {
  readonly payloadBytesMax = limits.busPayloadBytesMax;
  readonly isConnected = true;
  readonly server = 'sim';
  readonly reconnects = 0;
  readonly #clock: SimClock;
  readonly #dice: Dice;
  readonly #beacons: ReadonlyMap<string, SimBeacon>;
  readonly #weather: () => Weather;
  #hear: ((body: unknown, subject: string) => void)[] = [];
  #isDead = false;

  constructor(parts: {
    clock: SimClock;
    dice: Dice;
    beacons: ReadonlyMap<string, SimBeacon>;
    weather: () => Weather;
  }) {
    this.#clock = parts.clock;
    this.#dice = parts.dice;
    this.#beacons = parts.beacons;
    this.#weather = parts.weather;
  }

  asBus(): Bus {
    return this as unknown as Bus;
  }

  /** Nothing reaches the process any more. */
  kill(): void {
    this.#isDead = true;
    this.#hear = [];
  }

  subscribe(_subject: string, onMessage: (body: unknown, subject: string) => void): () => void {
    this.#hear.push(onMessage);
    return () => {
      this.#hear = this.#hear.filter((one) => one !== onMessage);
    };
  }

  publish(): void {
    // Nobody in this world listens to announcements.
  }

  /** A presence message arrives. */
  hear(body: Presence): void {
    for (const hear of this.#hear) hear(body, subjects.presence(body.BeaconID));
  }

  pack(value: unknown, options: RequestOptions = {}): Packed {
    return packBody(value, options.encoding ?? 'msgpack', this.payloadBytesMax);
  }

  request<T>(subject: string, value: unknown, options: RequestOptions = {}): Promise<T> {
    return this.send<T>(subject, this.pack(value, options), options);
  }

  /** As `Bus.send`. @throws TidemarkError UNAVAILABLE without an answer */
  send<T>(subject: string, packed: Packed, options: RequestOptions = {}): Promise<T> {
    const beacon = this.#beacons.get(subject.split('.')[1] ?? '');
    return new Promise<T>((resolve, reject) => {
      const fail = (cause?: Error) =>
        reject(
          new TidemarkError(
            'UNAVAILABLE',
            `${subject}: ${cause ? 'nobody answers there' : 'no answer in time'}`,
            cause ? { cause } : {},
          ),
        );
      if (this.#isDead) return;
      if (!beacon?.isUp) return this.#after(1, () => fail(new NoRespondersError(subject)));
      const { Settings } = decodeBody(packed.body) as { Settings: Record<string, unknown> };
      const stop = this.#clock.timer(options.timeoutMs ?? limits.capabilityMs, () => {
        if (!this.#isDead) fail();
      });
      this.#carry(beacon, actionIn(subject), Settings, (Outputs) => {
        stop();
        if (Outputs instanceof TidemarkError) reject(Outputs);
        else resolve({ Outputs } as T);
      });
    });
  }

  #after(ms: number, run: () => void): void {
    this.#clock.timer(ms, () => {
      if (!this.#isDead) run();
    });
  }

  #delay(): number {
    const { delayMs } = this.#weather();
    return this.#dice.chance(0.02) ? delayMs * 20 : this.#dice.real() * delayMs;
  }

  /** Takes a request there and its answer back, as the weather allows. */
  #carry(
    beacon: SimBeacon,
    action: string,
    settings: Record<string, unknown>,
    answer: (outputs: object) => void,
  ): void {
    const { lost, late, twice, liar } = this.#weather();
    const dice = this.#dice;
    const { nonce } = beacon;
    const isApply = action === 'Apply';
    const isLate = isApply && dice.chance(late);
    const arrive = (ms: number, run: () => void) =>
      this.#clock.timer(ms, () => {
        if (beacon.isUp && beacon.nonce === nonce) run();
      });
    if (dice.chance(lost)) return;
    const isAnswerLost = dice.chance(lost);
    // Without the batch capability nothing at the database guards a write of a dead worker, so it
    // is taken to arrive at once or never.
    const isOwn = () => isApply || !this.#isDead;
    arrive(isLate ? limits.capabilityMs + dice.below(20_000) : this.#delay(), () => {
      if (!isOwn()) return;
      // Of an answer about entries below the mark nothing tells which batch it is for.
      const stale =
        isApply && settings['IsBelowMark'] !== true && dice.chance(liar)
          ? beacon.stale(settings['Lane'] as Lane)
          : null;
      const outputs = stale ?? answerOf(beacon, action, settings, !isLate);
      const { travels } = beacon.database;
      if (outputs instanceof TidemarkError) return this.#after(1, () => answer(outputs));
      if (isApply && dice.chance(liar)) (outputs as { Results: unknown[] }).Results.pop();
      if (!isAnswerLost && !isLate)
        this.#after(this.#delay(), () => {
          if (action === 'Mark' && !this.#isDead) beacon.told(settings['Lane'] as Lane, travels);
          answer(outputs);
        });
      if (isApply && !stale && dice.chance(0.2)) beacon.again(settings as unknown as ApplySettings);
    });
    if (isApply && dice.chance(twice))
      arrive(this.#delay() + dice.below(20_000), () => answerOf(beacon, action, settings, false));
  }
}

/** Outputs, or the error with which the beacon refuses. */
function answerOf(
  beacon: SimBeacon,
  action: string,
  settings: Record<string, unknown>,
  isPrompt: boolean,
): object {
  try {
    return beacon.answer(action, settings, isPrompt);
  } catch (error) {
    if (error instanceof TidemarkError) return error;
    throw error;
  }
}
