/**
 * How long turns of the event loop take, and the steps of work in them, without what the campaign
 * itself does and without waiting for the disk to sync.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Connection } from '../../../worker/state/connection.ts';

/** `cpuMs` is what of it the thread itself was at work: the machine may be doing other things. */
export type Step = { name: string; ms: number; cpuMs: number };
/** A turn, and the longest steps in it. */
export type Turn = { ms: number; cpuMs: number; steps: Step[] };

const noStep: Step = { name: '', ms: 0, cpuMs: 0 };
const noTurn: Turn = { ms: 0, cpuMs: 0, steps: [] };

/** Time this thread was at work. */
function cpuNowMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e3;
}

/** Milliseconds this process has waited for syncs; 0 where nobody adds them up. */
export class SyncTime {
  readonly #fd: number | null;
  readonly #bytes = Buffer.alloc(8);

  constructor(path: string | undefined) {
    this.#fd = path === undefined ? null : openSync(path, 'r');
  }

  get isKnown(): boolean {
    return this.#fd !== null;
  }

  ms(): number {
    if (this.#fd === null) return 0;
    readSync(this.#fd, this.#bytes, 0, 8, 0);
    return Number(this.#bytes.readBigInt64LE(0)) / 1e6;
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
  }
}

export class Turns {
  readonly #sync: SyncTime;
  #isRunning = false;
  /** When the turn began, and what is to be left out of it, by the same clock. */
  #beganMs = 0;
  #apartMs = 0;
  #apartCpuMs = 0;
  #syncMs = 0;
  #cpuMs = 0;
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
    const ms = performance.now() - this.#beganMs - this.#apartMs - (this.#sync.ms() - this.#syncMs);
    const cpuMs = cpuNowMs() - this.#cpuMs - this.#apartCpuMs;
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
    this.#apartMs = 0;
    this.#apartCpuMs = 0;
    this.#cpuMs = cpuNowMs();
    this.#syncMs = this.#sync.ms();
    this.#beganMs = performance.now();
  }

  /** Work that is not the worker's. */
  apart<T>(work: () => T): T {
    const [fromMs, syncMs, cpuMs] = [performance.now(), this.#sync.ms(), cpuNowMs()];
    try {
      return work();
    } finally {
      this.#apartMs += performance.now() - fromMs - (this.#sync.ms() - syncMs);
      this.#apartCpuMs += cpuNowMs() - cpuMs;
    }
  }

  /** A step of the worker's; its name is asked for only if it took long. */
  step<T>(name: string | (() => string), work: () => T): T {
    const [fromMs, syncMs, cpuMs] = [performance.now(), this.#sync.ms(), cpuNowMs()];
    try {
      return work();
    } finally {
      const ms = performance.now() - fromMs - (this.#sync.ms() - syncMs);
      if (ms > 0.5)
        this.#took({
          name: typeof name === 'string' ? name : name(),
          ms,
          cpuMs: cpuNowMs() - cpuMs,
        });
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
