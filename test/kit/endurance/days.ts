/**
 * The days of the endurance campaign: the same each time, with traffic, an outage, dead letters
 * that are let go and some that stay, restarts, and figures at the end of each.
 */
import { limits } from '../../../contracts/limits.ts';
import { nextTurn } from '../../../runtime/clock.ts';
import type { KeepBounds } from '../../../worker/upkeep/keep-bounds.ts';
import { CompressedClock } from './compressed-clock.ts';
import { type DayFigures, figuresOf } from './figures.ts';
import { EnduringHub } from './hub.ts';
import { Life } from './life.ts';
import { ModelBus } from './model-bus.ts';
import { Traffic } from './traffic.ts';
import { type SyncTime, Turns } from './turns.ts';

export type EnduranceOptions = {
  dataDir: string;
  entries: number;
  days: number;
  seed: number;
  keep: KeepBounds;
  sync: SyncTime;
  onDay: (day: DayFigures) => void;
  onProgress?: (day: number, share: number, accepted: number) => void;
  onFault?: (what: string) => void;
};

export const dayMs = 24 * 3_600_000;

/** A tick is a minute of the process, and a larger part of the day; housekeeping runs once in it. */
const tickMs = 60_000;
const stepsOfTick = 15;
const ticksOfDay = { least: 24, most: 144, entries: 2_000 };
/** Of the day: when the beacon is away, and when dead letters come and are let go. */
const outage = { from: 0.3, to: 0.55 };
const deadFrom = 0.1;
const letGoAt = 0.7;
/** Dead letters: those that stay, those of a day, and writes parked behind each but the busy one. */
const staying = 20;
const ofDay = 10;
const parkedEach = 20;
const busyShare = 0.05;

export class Endurance {
  readonly #options: EnduranceOptions;
  readonly #turns: Turns;
  readonly #clock: CompressedClock;
  readonly #bus: ModelBus;
  readonly #traffic: Traffic;
  readonly #hub: EnduringHub;
  readonly #faults: string[] = [];
  #reported = 0;
  readonly #ticks: number;
  #life: Life;
  #day = 1;
  #accepting = { writes: 0, ms: 0 };
  #draining = { writes: 0, ms: 0 };

  constructor(options: EnduranceOptions) {
    const { seed, entries, days } = options;
    this.#options = options;
    this.#turns = new Turns(options.sync);
    this.#clock = new CompressedClock(seed);
    this.#bus = new ModelBus(this.#turns);
    const nowMs = () => this.#clock.nowMs();
    this.#traffic = new Traffic(seed, nowMs);
    this.#hub = new EnduringHub(this.#traffic, seed, nowMs);
    const { least, most, entries: each } = ticksOfDay;
    this.#ticks = Math.min(most, Math.max(least, Math.round(entries / days / each)));
    this.#life = this.#open();
  }

  #open(): Life {
    const { dataDir, keep } = this.#options;
    return new Life({
      dataDir,
      keep,
      bus: this.#bus,
      clock: this.#clock,
      turns: this.#turns,
      onFault: (what) => void this.#faults.push(what),
    });
  }

  /** What went wrong in the model's or the hub's eyes, or in the worker's own. */
  get faults(): string[] {
    return [...this.#faults, ...this.#hub.faults, ...this.#bus.faults];
  }

  async run(): Promise<DayFigures[]> {
    const days: DayFigures[] = [];
    this.#begin();
    for (; this.#day <= this.#options.days; this.#day++) {
      const figures = await this.#oneDay();
      days.push(figures);
      this.#options.onDay(figures);
    }
    await this.#end();
    return days;
  }

  /** New faults, at the moment they are known. */
  #report(): void {
    const { faults } = this;
    for (const what of faults.slice(this.#reported)) this.#options.onFault?.(what);
    this.#reported = faults.length;
  }

  #begin(): void {
    this.#life.start();
    this.#turns.start();
  }

  async #end(): Promise<void> {
    this.#turns.stop();
    await this.#life.stop();
  }

  /** An orderly stop and a start; what they take is not a turn of a running worker. */
  async #restart(): Promise<void> {
    await this.#end();
    this.#life = this.#open();
    this.#begin();
  }

  async #oneDay(): Promise<DayFigures> {
    const { entries, days, onProgress } = this.#options;
    const perTick = Math.ceil(entries / days / this.#ticks);
    this.#accepting = { writes: 0, ms: 0 };
    this.#draining = { writes: 0, ms: 0 };
    this.#turns.renew();
    for (let tick = 0; tick < this.#ticks; tick++) {
      const at = tick / this.#ticks;
      const isAt = (moment: number) => tick === Math.floor(moment * this.#ticks);
      if (isAt(deadFrom)) await this.#refuse();
      if (isAt(outage.from)) this.#bus.isUp = false;
      if (isAt((outage.from + outage.to) / 2)) await this.#restart();
      if (isAt(outage.to)) await this.#recover();
      if (isAt(letGoAt)) await this.#letGo();
      await this.#tick(perTick);
      onProgress?.(this.#day, at, this.#hub.accepted);
      this.#report();
    }
    await this.#settled();
    this.#insistOnBalance();
    const figures = figuresOf({
      day: this.#day,
      local: this.#life.local,
      turns: this.#turns,
      accepting: this.#accepting,
      draining: this.#draining,
      written: this.#hub.accepted,
      parked: this.#life.parked,
      faults: this.faults.length,
    });
    await this.#restart();
    return figures;
  }

  /** Time passes, writes come, and what is accepted is delivered if it can be. */
  async #tick(writes: number): Promise<void> {
    const wallMs = dayMs / this.#ticks / stepsOfTick;
    for (let step = 0; step < stepsOfTick; step++) {
      this.#bus.announce();
      await this.#clock.advance(tickMs / stepsOfTick, wallMs);
      await this.#write(Math.ceil(writes / stepsOfTick));
    }
    const horizonMs = this.#options.keep.dedup.ms;
    await this.#hub.repeat(this.#life, horizonMs);
    await this.#hub.repeatForgotten(this.#life, horizonMs);
    await this.#look();
    await this.#settled();
  }

  async #write(count: number): Promise<void> {
    const sent = this.#turns.apart(() => this.#hub.make(count));
    const fromMs = performance.now();
    await this.#hub.send(this.#life, sent);
    if (this.#bus.isUp) return;
    this.#accepting.writes += sent.length;
    this.#accepting.ms += performance.now() - fromMs;
  }

  /** What pages and scrapes ask all the time, and reads. */
  async #look(): Promise<void> {
    await this.#turns.step('scrape', () => this.#life.scrape());
    this.#turns.step('status', () => this.#life.core.operators.overview.status());
    await this.#life.ask('queue', 'QP_GetWorkItemByHash', { WorkItemHash: 'hot-1' });
    await this.#life.ask('queue', 'QP_ListWorkItems', { Filter: { Limit: 100 } });
  }

  /** Until nothing waits but what is parked, while the beacon is there. */
  async #settled(): Promise<void> {
    const untilMs = performance.now() + 60_000;
    while (this.#bus.isUp && this.#life.pending > this.#life.parked) {
      if (performance.now() > untilMs) {
        this.#faults.push(`${this.#life.pending} writes still wait after a minute`);
        return;
      }
      for (let turn = 0; turn < 10; turn++) await nextTurn();
    }
  }

  /** Some keys get a write that is refused and others behind it; on the first day some for good. */
  async #refuse(): Promise<void> {
    const day = this.#day;
    const keys = Array.from({ length: ofDay }, (_, n) => `refused-${day}-${n}`);
    if (day === 1) keys.push(...Array.from({ length: staying }, (_, n) => `refused-stays-${n}`));
    const busy = `refused-${day}-busy`;
    const sent = [...keys, busy].flatMap((key) => [
      this.#traffic.refused(key),
      ...Array.from({ length: parkedEach }, () => this.#traffic.update(key)),
    ]);
    await this.#hub.send(this.#life, sent);
    this.#traffic.extra = { key: busy, share: busyShare };
  }

  /** The beacon is back: how fast is what has come meanwhile delivered? */
  async #recover(): Promise<void> {
    this.#bus.isUp = true;
    const waiting = () => this.#life.pending - this.#life.parked;
    const before = waiting();
    for (let step = 0; step < stepsOfTick && waiting() === before; step++) {
      this.#bus.announce();
      await this.#clock.advance(tickMs / stepsOfTick, 1);
      for (let turn = 0; turn < 100 && waiting() === before; turn++) await nextTurn();
    }
    const [from, fromMs] = [waiting(), performance.now()];
    await this.#settled();
    this.#draining = { writes: from - waiting(), ms: performance.now() - fromMs };
  }

  /** The busy key's dead letter is dropped, the others of the day are sent again and taken. */
  async #letGo(): Promise<void> {
    this.#traffic.extra = null;
    const own = [...this.#hub.refusedSeqs].filter(([key]) => !key.startsWith('refused-stays-'));
    for (const [key, seq] of own) {
      this.#hub.refusedSeqs.delete(key);
      const isBusy = key.endsWith('-busy');
      if (!isBusy) this.#bus.forgiven.add(key);
      this.#life.control.run('dead-letters', { Verb: isBusy ? 'drop' : 'retry', Seq: seq });
    }
    const untilMs = performance.now() + 60_000;
    while (this.#life.parked > staying * parkedEach && performance.now() < untilMs)
      await nextTurn();
    if (this.#life.parked !== staying * parkedEach || this.#life.dead !== staying)
      this.#faults.push(`${this.#life.parked} writes parked behind ${this.#life.dead} stay`);
    this.#bus.forgiven.clear();
  }

  #insistOnBalance(): void {
    for (const [lane, { Difference }] of Object.entries(
      this.#life.core.operators.overview.balances(),
    ))
      if (Difference !== 0) this.#faults.push(`I10: lane ${lane} differs by ${Difference}`);
  }
}

/** What a campaign of so many days keeps: all of it is steady from the third day on. */
export const keptFor = {
  retention: { entries: limits.retainedEntriesMax, ms: dayMs / 2 },
  dedup: { entries: limits.dedupEntriesMax, ms: 1.5 * dayMs },
} satisfies KeepBounds;
