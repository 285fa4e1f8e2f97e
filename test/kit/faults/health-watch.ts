/** Asks workers for their health all the time, and keeps which faults they ever named. */

const everyMs = 60;
const answerMs = 1_000;

type Health = {
  Reason?: string | null;
  Db?: { Status: string; Class: string | null };
  Capacity?: { Refusing: string | null };
  Faults?: { Class: string; What: string }[];
};

export class HealthWatch {
  readonly #timer: NodeJS.Timeout;
  readonly #named = new Map<string, string>();
  #before: string[] = [];

  constructor(addresses: readonly string[]) {
    this.#timer = setInterval(() => {
      for (const address of addresses) void this.#ask(address);
    }, everyMs);
  }

  async #ask(address: string): Promise<void> {
    try {
      const answer = await fetch(`http://${address}/healthz`, {
        signal: AbortSignal.timeout(answerMs),
      });
      this.#take((await answer.json()) as Health);
    } catch {
      // Nobody there at the moment.
    }
  }

  #take({ Reason, Db, Capacity, Faults }: Health): void {
    if (Db && Db.Status !== 'ok') this.#named.set(Db.Class ?? Db.Status, Reason ?? '');
    if (Capacity?.Refusing) this.#named.set(Capacity.Refusing, Reason ?? '');
    for (const { Class, What } of Faults ?? []) this.#named.set(Class, What);
  }

  /** Forgets what was named so far. */
  clear(): void {
    this.#before = [];
    this.#named.clear();
  }

  /** Classes of faults, or what else was said to be wrong. */
  get named(): string[] {
    return [...new Set([...this.#before, ...this.#named.keys()])];
  }

  /** From now on `isNaming` is about what is named later. */
  turnPage(): void {
    this.#before = this.named;
    this.#named.clear();
  }

  get isNaming(): boolean {
    return this.#named.size > 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
