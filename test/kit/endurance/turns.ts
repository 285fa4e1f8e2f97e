/**
 * How long turns of the event loop take, and the steps of work in them, without what the campaign
 * itself does and without waiting for the disk to sync.
 */
import { openSync, readSync } from 'node:fs';
import type { Connection } from '../../../worker/state/connection.ts';

/** `cpuMs` is what of it the thread itself was at work: the machine may be doing other things. */
export type Step = { name: string; ms: number; cpuMs: number };
/** A turn, and the longest steps in it. */
export type Turn = { ms: number; cpuMs: number; steps: Step[] };

const noStep: Step = { name: '', ms: 0, cpuMs: 0 };
const noTurn: Turn = { ms: 0, cpuMs: 0, steps: [] };

/** A moment, or the time between two: what passed, and what of it this thread was at work. */
type Time = { ms: number; cpuMs: number };

/** The time of this process without that of its syncs, where somebody adds that up. */
export class SyncTime {
  readonly #fd: number | null;
  readonly #bytes = Buffer.alloc(16);

  constructor(path: string | undefined) {
    this.#fd = path === undefined ? null : openSync(path, 'r');
  }

  now(): Time {
    const { user, system } = process.threadCpuUsage();
    if (this.#fd !== null) readSync(this.#fd, this.#bytes, 0, 16, 0);
    return {
      ms: performance.now() - Number(this.#bytes.readBigInt64LE(0)) / 1e6,
      cpuMs: (user + system) / 1e3 - Number(this.#bytes.readBigInt64LE(8)) / 1e6,
    };
  }
}

function between(from: Time, to: Time): Time {
  return { ms: to.ms - from.ms, cpuMs: to.cpuMs - from.cpuMs };
}

export class Turns {
  readonly #sync: SyncTime;
  #isRunning = false;
  #began: Time = { ms: 0, cpuMs: 0 };
  /** What is to be left out of the turn. */
  #apart: Time = { ms: 0, cpuMs: 0 };
  #steps: Step[] = [];
  longest: Turn = noTurn;
  longestStep: Step = noStep;

  constructor(sync: SyncTime) {
    this.#sync = sync;
  }

  /** Forgets the longest so far. */
  renew(): void {
    this.longest = noTurn;
    this.longestStep = noStep;
  }

  start(): void {
    this.#isRunning = true;
    this.#begin();
    setImmediate(this.#next);
  }

  stop(): void {
    this.#isRunning = false;
  }

  readonly #next = (): void => {
    if (!this.#isRunning) return;
    const { ms, cpuMs } = between(this.#apart, between(this.#began, this.#sync.now()));
    if (cpuMs > this.longest.cpuMs)
      this.longest = {
        ms,
        cpuMs,
        steps: this.#steps.toSorted((a, b) => b.cpuMs - a.cpuMs).slice(0, 4),
      };
    this.#begin();
    setImmediate(this.#next);
  };

  #begin(): void {
    this.#steps = [];
    this.#apart = { ms: 0, cpuMs: 0 };
    this.#began = this.#sync.now();
  }

  /** Work that is not the worker's. */
  apart<T>(work: () => T): T {
    const from = this.#sync.now();
    try {
      return work();
    } finally {
      const { ms, cpuMs } = between(from, this.#sync.now());
      this.#apart = { ms: this.#apart.ms + ms, cpuMs: this.#apart.cpuMs + cpuMs };
    }
  }

  /** A step of the worker's; its name is asked for only if it took long. */
  step<T>(name: string | (() => string), work: () => T): T {
    const from = this.#sync.now();
    try {
      return work();
    } finally {
      const time = between(from, this.#sync.now());
      if (time.ms > 0.5) this.#took({ name: typeof name === 'string' ? name : name(), ...time });
    }
  }

  #took(step: Step): void {
    this.#steps.push(step);
    if (step.cpuMs > this.longestStep.cpuMs) this.longestStep = step;
  }

  /** Times each transaction of a connection, named after who began it. */
  watchTransactions(db: Connection): void {
    const make = db.transaction.bind(db);
    db.transaction = ((work: (...given: unknown[]) => unknown) => {
      const made = make(work);
      return Object.assign((...given: unknown[]) => this.#transaction(() => made(...given)), made, {
        immediate: (...given: unknown[]) => this.#transaction(() => made.immediate(...given)),
      });
    }) as typeof db.transaction;
  }

  #transaction<T>(work: () => T): T {
    const { stackTraceLimit } = Error;
    return this.step(() => {
      Error.stackTraceLimit = 12;
      const { stack = '' } = new Error();
      Error.stackTraceLimit = stackTraceLimit;
      return /at (?:async )?([\w.#]+) \(.*\/(?:worker|hwm)\//.exec(stack)?.[1] ?? 'a transaction';
    }, work);
  }

  /** Times a method of an object from now on, as a step. */
  watch<Name extends string>(
    object: Record<Name, (...given: never[]) => unknown>,
    method: Name,
    name: string,
  ): void {
    const original = object[method].bind(object) as (...given: unknown[]) => unknown;
    object[method] = (...given: unknown[]) => this.step(name, () => original(...given));
  }
}
